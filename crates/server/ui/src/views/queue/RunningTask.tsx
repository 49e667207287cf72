import { useCancelTask } from "../../api/queries";
import { stateText, taskState } from "../../api/task-state";
import { useLiveTask } from "../../api/task-store";
import type { TaskSummary } from "../../api/types";
import { Button, ProgressBar } from "../../components";
import { TaskPicture, TaskTexts, titleOf } from "./TaskLine";

/** A running task with its preview, progress and forecast. */
export function RunningTask({ task }: { task: TaskSummary }) {
  const state = taskState(task, useLiveTask(task.task_id));
  const cancel = useCancelTask();
  const text = stateText(state);
  return (
    <article className="card queue-running" aria-label={titleOf(task)}>
      <TaskPicture task={task} preview={state.preview?.image} />
      <TaskTexts task={task}>
        <ProgressBar label={titleOf(task)} value={state.progress} text={text} />
        <span className="muted small numbers">{text}</span>
      </TaskTexts>
      <Button size="s" icon="close" onPress={() => cancel.mutate(task.task_id)} isPending={cancel.isPending}>
        Cancel
      </Button>
    </article>
  );
}
