import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { localUrl } from "../../api/base";
import { messageOf } from "../../api/problems";
import { useTask } from "../../api/queries";
import { hasEnded, type Task, type TaskSummary } from "../../api/types";
import { Button, ErrorMessage, IconButton, ProgressBar } from "../../components";
import { animate, canBeUsedAgain, copy, download, useAgain as makeAgain, startFrom } from "./actions";
import type { Results } from "./result-list";
import { Words } from "./Words";
import { nameOf, titleOf, wordsOf } from "./words";
import "./viewer.css";

export interface ViewerProps {
  /** The result that is shown; null for none. */
  id: string | null;
  results: Results;
  onMove: (id: string) => void;
  onClose: () => void;
  /** Asks, and deletes; true if it does. */
  onDelete: (ids: readonly string[]) => Promise<boolean>;
}

/** A result as large as the window, with its parameters and what can be done with it. */
export function Viewer({ id, ...props }: ViewerProps) {
  return (
    <ModalOverlay className="gallery-viewer-overlay" isOpen={id !== null} onOpenChange={(isOpen) => !isOpen && props.onClose()}>
      <Modal className="gallery-viewer-modal">{id !== null && <Content id={id} {...props} />}</Modal>
    </ModalOverlay>
  );
}

function Content({ id, results, onMove, onClose, onDelete }: ViewerProps & { id: string }) {
  const { data, error, isPending } = useTask(id);
  const place = results.places.get(id);
  const summary: TaskSummary | undefined = place === undefined ? undefined : results.items[place];
  const task = data ?? null;
  const known = task ?? summary;
  const previous = place === undefined ? undefined : results.items[place - 1]?.task_id;
  const next = place === undefined ? undefined : results.items[place + 1]?.task_id;
  const content = useRef<HTMLDivElement>(null);
  // At the first and the last one a button that has the focus is disabled, and a disabled element takes no keys.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it depends on what is shown.
  useEffect(() => {
    const focused = document.activeElement;
    if (focused === null || focused === document.body || focused.matches(":disabled")) content.current?.focus();
  }, [id, previous, next]);
  const keyDown = (event: KeyboardEvent) => {
    const isElsewhere = event.target instanceof HTMLVideoElement || event.target instanceof HTMLInputElement;
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || isElsewhere) return;
    const target = { ArrowLeft: previous, ArrowRight: next }[event.key];
    if (target !== undefined) onMove(target);
  };
  const remove = async () => {
    if (!(await onDelete([id]))) return;
    const neighbour = next ?? previous;
    if (neighbour === undefined) onClose();
    else onMove(neighbour);
  };
  return (
    <Dialog className="gallery-viewer" aria-label={known === undefined ? "Result" : titleOf(known)}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: arrow keys are a shortcut of the buttons "Previous" and "Next". */}
      <div ref={content} className="gallery-viewer-content" tabIndex={-1} onKeyDown={keyDown}>
        <div className="gallery-stage">
          {known !== undefined && <Stage key={id} task={known} files={filesOf(task, known)} thumbnail={summary?.thumbnail_url ?? null} />}
          <div className="gallery-stage-bar">
            <IconButton icon="close" label="Close" onPress={onClose} autoFocus />
            <span className="grow" />
            <span className="gallery-turn" data-to="previous">
              <IconButton
                icon="chevron"
                label="Previous result"
                isDisabled={previous === undefined}
                onPress={() => previous && onMove(previous)}
              />
            </span>
            <span className="gallery-turn" data-to="next">
              <IconButton icon="chevron" label="Next result" isDisabled={next === undefined} onPress={() => next && onMove(next)} />
            </span>
          </div>
        </div>
        <div className="gallery-side">
          {known !== undefined && (
            <Heading slot="title" level={2} className="gallery-title" dir="auto">
              {titleOf(known)}
            </Heading>
          )}
          {error !== null && <ErrorMessage>{messageOf(error)}</ErrorMessage>}
          {task?.error && <ErrorMessage>{task.error.message}</ErrorMessage>}
          {isPending && <ProgressBar label="Reading the parameters" />}
          {task !== null && <Actions task={task} onDelete={() => void remove()} />}
          {task !== null && <Words words={wordsOf(task).filter(([name, value]) => name !== "Prompt" || value !== titleOf(task))} />}
          {task !== null && <Remarks task={task} />}
        </div>
      </div>
    </Dialog>
  );
}

interface ShownFile {
  readonly name: string;
  readonly url: string;
  readonly media_type: string;
  readonly expired: boolean;
}

function filesOf(task: Task | null, known: Task | TaskSummary): readonly ShownFile[] {
  const all: readonly ShownFile[] = task?.result?.result.files ?? [];
  const visible = all.filter(({ media_type }) => /^(image|video)\//.test(media_type));
  if (visible.length > 0) return visible;
  return known.file === null ? [] : [known.file];
}

function withoutFile(status: Task["status"]): string {
  if (status === "completed") return "The task made no file.";
  return hasEnded(status) ? "There is no file: the task did not complete." : "It is not done yet. The queue shows how far it is.";
}

/** The picture or the video. */
function Stage({ task, files, thumbnail }: { task: Task | TaskSummary; files: readonly ShownFile[]; thumbnail: string | null }) {
  const [chosen, setChosen] = useState(0);
  const [failed, setFailed] = useState(false);
  const file = files[Math.min(chosen, files.length - 1)];
  // biome-ignore lint/correctness/useExhaustiveDependencies: another file may load.
  useEffect(() => setFailed(false), [file?.url]);
  if (file === undefined || file.expired || failed) {
    return (
      <p className="gallery-stage-text muted">
        {file === undefined
          ? withoutFile(task.status)
          : "The file is no longer on the server. Its parameters are, so you can make it again."}
      </p>
    );
  }
  const url = localUrl(file.url);
  return (
    <>
      {file.media_type.startsWith("video/") ? (
        <video
          key={file.name}
          className="gallery-stage-picture"
          src={url}
          poster={thumbnail === null ? undefined : localUrl(thumbnail)}
          aria-label={nameOf(task)}
          width={task.width ?? undefined}
          height={task.height ?? undefined}
          controls
          autoPlay
          loop
          muted
          playsInline
          onError={() => setFailed(true)}
        />
      ) : (
        <img
          key={file.name}
          className="gallery-stage-picture"
          src={url}
          alt={nameOf(task)}
          dir="auto"
          width={task.width ?? undefined}
          height={task.height ?? undefined}
          onError={() => setFailed(true)}
        />
      )}
      {files.length > 1 && (
        <div className="gallery-files row">
          {files.map(({ name }, index) => (
            <Button key={name} size="s" variant={index === chosen ? "primary" : "plain"} onPress={() => setChosen(index)}>
              {index + 1}
            </Button>
          ))}
        </div>
      )}
    </>
  );
}

function Actions({ task, onDelete }: { task: Task; onDelete: () => void }) {
  const { request, parameters } = task;
  const file = filesOf(task, task).find(({ expired }) => !expired);
  const isImage = file?.media_type.startsWith("image/") ?? false;
  const words =
    parameters ??
    wordsOf(task)
      .map(([name, value]) => `${name}: ${value}`)
      .join("\n");
  return (
    <div className="gallery-actions">
      {canBeUsedAgain(request) && (
        <Button variant="primary" icon="again" onPress={() => makeAgain(request)}>
          Use again
        </Button>
      )}
      {file !== undefined && isImage && (
        <>
          <Button icon="image" onPress={() => startFrom(file)}>
            Use as start picture
          </Button>
          <Button icon="motion" onPress={() => animate(file)}>
            Animate
          </Button>
        </>
      )}
      {file !== undefined && (
        <Button icon="download" onPress={() => download(file)}>
          Download
        </Button>
      )}
      {task.prompt !== null && <Button onPress={() => copy(task.prompt ?? "", "Prompt")}>Copy prompt</Button>}
      <Button onPress={() => copy(words, "Parameters")}>Copy parameters</Button>
      <Button icon="trash" onPress={onDelete}>
        Delete
      </Button>
    </div>
  );
}

/** What the server remarked: fields that did nothing, a prompt that was cut. */
function Remarks({ task }: { task: Task }) {
  const result = task.result?.result;
  if (result === undefined) return null;
  const remarks = [...result.remarks, ...(result.prompt_truncated ? ["The prompt was longer than the model reads, and was cut."] : [])];
  if (remarks.length === 0) return null;
  return (
    <section className="stack-tight">
      <h3>Remarks</h3>
      <ul className="gallery-remarks small muted">
        {remarks.map((remark) => (
          <li key={remark} dir="auto">
            {remark}
          </li>
        ))}
      </ul>
    </section>
  );
}
