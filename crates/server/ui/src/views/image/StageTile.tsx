import { localUrl } from "../../api/base";
import { messageOf, Problem } from "../../api/problems";
import { useCancelTask, useForgetTask, useTask } from "../../api/queries";
import { stateText, type TaskState, taskState } from "../../api/task-state";
import { useLiveTask } from "../../api/task-store";
import { hasEnded, type Task, type TaskSummary } from "../../api/types";
import { handOver } from "../../app/handoff";
import {
  Button,
  confirm,
  ErrorMessage,
  fetchImage,
  Icon,
  IconButton,
  Menu,
  type MenuEntry,
  Picture,
  ProgressBar,
  toast,
} from "../../components";
import { nameOf, type StageActions } from "./Stage";

interface Props extends StageActions {
  id: string;
  /** What the list of active tasks says of it. */
  summary: TaskSummary | undefined;
  /** The task is deleted, or the server does not know it. */
  onGone: () => void;
}

/** One image: its preview, progress and forecast while it is made; then the image and what can be done with it. */
export function StageTile({ id, summary, onGone, ...actions }: Props) {
  const query = useTask(id);
  const live = useLiveTask(id);
  const task = query.data;
  const known = task !== undefined && hasEnded(task.status) ? task : (summary ?? task);
  const state = taskState(known, live);
  const name = nameOf({ prompt: known?.prompt ?? null, seed: known?.seed ?? null });
  if (query.error instanceof Problem && query.error.status === 404) {
    return (
      <div className="image-tile">
        <ErrorMessage
          action={
            <Button size="s" onPress={onGone}>
              Remove
            </Button>
          }
        >
          {messageOf(query.error)}
        </ErrorMessage>
      </div>
    );
  }
  const width = task?.result?.result.width ?? known?.width;
  const height = task?.result?.result.height ?? known?.height;
  if (state.status === "completed" && task?.result) {
    const file = task.result.result.files[0];
    return (
      <figure className="image-tile">
        <Picture
          src={file === undefined || file.expired ? null : localUrl(file.url)}
          name={name}
          width={width}
          height={height}
          fit="contain"
        />
        <Actions task={task} onGone={onGone} {...actions} />
        {task.result.result.remarks.map((remark) => (
          <p key={remark} className="muted small">
            {remark}
          </p>
        ))}
      </figure>
    );
  }
  return (
    <figure className="image-tile">
      <Picture src={state.preview?.image ?? null} name={`Preview: ${name}`} width={width} height={height} fit="contain" />
      <Progress id={id} state={state} name={name} />
      {task?.error && <ErrorMessage>{task.error.message}</ErrorMessage>}
    </figure>
  );
}

function Progress({ id, state, name }: { id: string; state: TaskState; name: string }) {
  const cancel = useCancelTask();
  const text = stateText(state);
  if (hasEnded(state.status)) return <p className="muted">{text}</p>;
  return (
    <figcaption className="image-progress">
      <ProgressBar label={name} value={state.status === "pending" ? 0 : state.progress} text={text} />
      <span className="image-progress-text numbers">{text}</span>
      <Button size="s" variant="quiet" icon="close" onPress={() => cancel.mutate(id)} isPending={cancel.isPending}>
        Cancel
      </Button>
    </figcaption>
  );
}

function Actions({ task, onGone, onUse, onStart, onSeed }: { task: Task; onGone: () => void } & StageActions) {
  const forget = useForgetTask();
  const file = task.result?.result.files[0];
  const { request, seed } = task;
  const url = file === undefined || file.expired ? null : localUrl(file.url);
  const start = async () => {
    if (url === null || file === undefined) return;
    try {
      onStart(await fetchImage(url, file.name));
    } catch (error) {
      toast(messageOf(error), { tone: "error" });
    }
  };
  const remove = async () => {
    const isSure = await confirm({
      title: "Delete this image?",
      text: "Its file and its parameters are removed from the server.",
      action: "Delete",
      isDanger: true,
    });
    if (isSure) forget.mutate(task.task_id, { onSuccess: onGone });
  };
  const entries: MenuEntry[] = [{ id: "delete", label: "Delete", icon: "trash", isDanger: true, onAction: () => void remove() }];
  if (url !== null) {
    const animate = () => handOver("motion", { pictures: [{ role: "image", url, name: file?.name ?? "image.png" }] });
    entries.unshift({ id: "animate", label: "Set it in motion", icon: "motion", onAction: animate });
  }
  if (seed !== null) entries.unshift({ id: "seed", label: `Lock its seed, ${seed}`, icon: "lock", onAction: () => onSeed(seed) });
  if (request) entries.unshift({ id: "use", label: "Use its settings", icon: "again", onAction: () => onUse(request) });
  return (
    <figcaption className="image-actions">
      <span className="image-caption muted small numbers" dir="auto">
        {task.prompt}
      </span>
      {url !== null && (
        <>
          <a className="button button-icon" data-variant="quiet" href={url} download={file?.name} aria-label="Download" title="Download">
            <Icon name="download" />
          </a>
          <IconButton icon="image" label="Start from this image" onPress={() => void start()} />
        </>
      )}
      <Menu label="Actions" entries={entries}>
        <IconButton icon="more" label="More actions" />
      </Menu>
    </figcaption>
  );
}
