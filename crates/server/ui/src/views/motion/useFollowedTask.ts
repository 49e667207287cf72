import { Problem } from "../../api/problems";
import { useTask } from "../../api/queries";
import { type LiveTask, useLiveTask } from "../../api/task-store";
import { hasEnded, type Task, type TaskStatus } from "../../api/types";

/** A task as the view follows it: what the server answered, and what events said since. */
export interface FollowedTask {
  readonly task: Task | undefined;
  readonly live: LiveTask | undefined;
  readonly status: TaskStatus;
  readonly isRunning: boolean;
  /** In percent. */
  readonly progress: number;
}

/** Follows a task. Null without one, and while it is not known yet. */
export function useFollowedTask(id: string | null): FollowedTask | null {
  const { data, error } = useTask(id);
  const live = useLiveTask(id);
  const isGone = error instanceof Problem && error.status === 404;
  const task = live?.task ?? data;
  const status = live?.status ?? task?.status;
  if (id === null || status === undefined || isGone) return null;
  return { task, live, status, isRunning: !hasEnded(status), progress: live?.progress ?? task?.progress ?? 0 };
}
