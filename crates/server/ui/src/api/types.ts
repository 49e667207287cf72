import type { components } from "./schema";

type Schemas = components["schemas"];

/**
 * An answer as the server sends it: a field that can be null is there, and null. The description lists such fields as optional, because
 * requests may leave them out.
 */
export type Sent<T> = T extends readonly (infer Entry)[]
  ? Sent<Entry>[]
  : T extends object
    ? { [Key in keyof T as null extends T[Key] ? Key : never]-?: Sent<T[Key]> } & {
        [Key in keyof T as null extends T[Key] ? never : Key]: Sent<T[Key]>;
      }
    : T;

/** Some fields are absent rather than null. */
type Absent<T, Keys extends keyof T> = Omit<T, Keys> & { [Key in Keys]?: T[Key] };

/** How something was made, and so how to make it again. */
export interface TaskRequest {
  path: string;
  body: Record<string, unknown>;
  /** The fields whose pictures have to be given again. */
  needs?: string[];
}

export type Task = Omit<Absent<Sent<Schemas["Task"]>, "waits_for_model">, "request"> & { request: TaskRequest | null };
export type TaskSummary = Sent<Schemas["TaskSummary"]>;
export type Submitted = Sent<Schemas["VideoTaskResponse"]>;
export type Model = Absent<Sent<Schemas["Model"]>, "progress" | "reason">;
export type Models = Omit<Sent<Schemas["Models"]>, "models"> & { models: Model[] };
export type Machine = Sent<Schemas["Machine"]>;
export type VideoInfo = Sent<Schemas["VideoInfo"]>;
export type TimelineEntry = VideoInfo["timeline"][number];
export type TaskStatus = Schemas["TaskStatus"];
export type Priority = TaskSummary["priority"];
export type TaskKind = TaskSummary["kind"];

/** Whether the task has ended, one way or the other. */
export function hasEnded(status: TaskStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
