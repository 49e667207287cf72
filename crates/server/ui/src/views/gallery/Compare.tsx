import { type CSSProperties, useState } from "react";
import { Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { localUrl } from "../../api/base";
import { messageOf } from "../../api/problems";
import { useTask } from "../../api/queries";
import type { Task } from "../../api/types";
import { Button, ErrorMessage, IconButton, ProgressBar } from "../../components";
import { differences, nameOf } from "./words";

/** Two results over or beside each other, and the parameters in which they differ. */
export function Compare({ ids, onClose }: { ids: readonly [string, string] | null; onClose: () => void }) {
  return (
    <ModalOverlay className="gallery-viewer-overlay" isOpen={ids !== null} onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Modal className="gallery-viewer-modal">{ids !== null && <Content key={ids.join()} ids={ids} onClose={onClose} />}</Modal>
    </ModalOverlay>
  );
}

function Content({ ids, onClose }: { ids: readonly [string, string]; onClose: () => void }) {
  const [isSwapped, setSwapped] = useState(false);
  const [wantsSlider, setWantsSlider] = useState(true);
  const [first, second] = [useTask(ids[0]), useTask(ids[1])];
  const error = first.error ?? second.error;
  const tasks = first.data && second.data ? ([first.data, second.data] as const) : null;
  const shown = tasks !== null && isSwapped ? ([tasks[1], tasks[0]] as const) : tasks;
  // A divider needs two pictures that stand still.
  const canSlide = shown?.every((task) => isPicture(task)) ?? false;
  return (
    <Dialog className="gallery-viewer">
      <div className="gallery-compare">
        <header className="gallery-compare-head">
          <IconButton icon="close" label="Close" onPress={onClose} autoFocus />
          <Heading slot="title" level={2} className="grow">
            Compare
          </Heading>
          <IconButton icon="swap" label="Swap A and B" onPress={() => setSwapped(!isSwapped)} />
          {canSlide && (
            <Button size="s" icon="compare" onPress={() => setWantsSlider(!wantsSlider)}>
              {wantsSlider ? "Side by side" : "With a divider"}
            </Button>
          )}
        </header>
        {error !== null && <ErrorMessage>{messageOf(error)}</ErrorMessage>}
        {shown === null && error === null && <ProgressBar label="Reading both" />}
        {shown !== null && (canSlide && wantsSlider ? <Divided tasks={shown} /> : <Beside tasks={shown} />)}
        {shown !== null && <Differences tasks={shown} />}
      </div>
    </Dialog>
  );
}

type Pair = readonly [Task, Task];

function isPicture({ file }: Task): boolean {
  return file !== null && !file.expired && file.media_type.startsWith("image/");
}

/** Both pictures in one place; a divider says how much of each is seen. */
function Divided({ tasks: [left, right] }: { tasks: Pair }) {
  const [share, setShare] = useState(50);
  return (
    <div className="gallery-divided" style={{ "--share": `${share}%`, "--ratio": ratioOf(left) } as CSSProperties}>
      <Shown task={right} />
      <div className="gallery-divided-left">
        <Shown task={left} />
      </div>
      <span className="gallery-divider" aria-hidden="true" />
      <input
        type="range"
        className="gallery-divider-input"
        aria-label="Divider between A and B"
        aria-valuetext={`${share} % of A`}
        min={0}
        max={100}
        value={share}
        onChange={(event) => setShare(event.target.valueAsNumber)}
      />
      <span className="gallery-side-name" data-side="a" aria-hidden="true">
        A
      </span>
      <span className="gallery-side-name" data-side="b" aria-hidden="true">
        B
      </span>
    </div>
  );
}

/** Width by height; pictures of another shape are shown whole inside it. */
function ratioOf({ width, height }: Task): number {
  return width !== null && height !== null && height > 0 ? width / height : 1;
}

function Beside({ tasks }: { tasks: Pair }) {
  return (
    <div className="gallery-beside">
      {tasks.map((task, index) => (
        <figure key={task.task_id} className="gallery-beside-one">
          <Shown task={task} />
          <figcaption className="muted small">{index === 0 ? "A" : "B"}</figcaption>
        </figure>
      ))}
    </div>
  );
}

function Shown({ task }: { task: Task }) {
  const { file } = task;
  if (file === null || file.expired) return <p className="muted">The file is no longer on the server.</p>;
  const url = localUrl(file.url);
  if (file.media_type.startsWith("video/")) {
    return <video className="gallery-compared" src={url} aria-label={nameOf(task)} controls muted loop playsInline />;
  }
  return <img className="gallery-compared" src={url} alt={nameOf(task)} dir="auto" draggable={false} />;
}

/** When something was made says nothing about how. */
const CIRCUMSTANCES: readonly string[] = ["Made", "Took", "File", "Parts"];

function Differences({ tasks }: { tasks: Pair }) {
  const rows = differences(...tasks).filter(({ name }) => !CIRCUMSTANCES.includes(name));
  if (rows.length === 0) return <p className="muted">Both have the same parameters.</p>;
  return (
    <table className="gallery-differences">
      <caption className="visually-hidden">Parameters that differ</caption>
      <thead>
        <tr>
          <th scope="col">Differs</th>
          <th scope="col">A</th>
          <th scope="col">B</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, values: [left, right] }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td dir="auto">{left ?? "none"}</td>
            <td dir="auto">{right ?? "none"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
