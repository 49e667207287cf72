import type { components } from "./additions";

type Schemas = components["schemas"];

export type Task = Schemas["Task"];
export type TaskSummary = Schemas["TaskSummary"];
export type Submitted = Schemas["VideoTaskResponse"];
export type Model = Schemas["Model"];
export type Models = Schemas["Models"];
export type Machine = Schemas["Machine"];
export type VideoInfo = Schemas["VideoInfo"];
export type { Priority, TaskKind, TaskStatus, TimelineEntry } from "./additions";

import type { TaskStatus } from "./additions";

/** Whether the task has ended, one way or the other. */
export function hasEnded(status: TaskStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
