import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { type Connection, followEvents, type TaskEvent } from "./events";
import { keys } from "./queries";
import { hasEnded, type Task, type TaskStatus } from "./types";

/** A small picture of work in progress. */
export interface Preview {
  /** A data URL. */
  readonly image: string;
  readonly width: number;
  readonly height: number;
  /** The picture or scene that it belongs to, from 0; absent for a frame. */
  readonly part?: number;
  readonly step?: number;
  readonly steps?: number;
  /** The video's frame, from 0; absent for a step. */
  readonly frame?: number;
}

/** What the events said of a task since the page was opened. */
export interface LiveTask {
  readonly status: TaskStatus;
  /** In percent. */
  readonly progress: number;
  readonly part?: number;
  readonly parts?: number;
  readonly step?: number;
  readonly steps?: number;
  readonly preview?: Preview;
  /** The data of its "part" events, in order: finished pictures, scenes and joins. */
  readonly partEvents: readonly TaskEvent["data"][];
  /** The whole task, once it has ended. */
  readonly task?: Task;
}

/** Ended tasks that are remembered; views read older ones from the server. */
const KEPT = 200;
/** How often lists are read again, in milliseconds: at once when tasks start or end, and for forecasts while they run. */
const SOON = 250;
const LATER = 2000;

/**
 * The state of tasks as events tell it. The server's answers are the truth: lists are read again when an event changes them, and whole tasks
 * of last events go into the cache of queries.
 */
export class TaskStore {
  #tasks = new Map<string, LiveTask>();
  #connection: Connection = "connecting";
  #listeners = new Set<() => void>();
  #watchers = new Set<(event: TaskEvent) => void>();
  #refresh: { at: number; timer: ReturnType<typeof setTimeout> } | null = null;
  #refreshed = 0;

  constructor(readonly queries: QueryClient) {}

  /** Follows the server's events until the returned function is called. */
  start(): () => void {
    const stop = followEvents({
      onEvent: (event) => this.apply(event),
      onOpen: () => void this.queries.invalidateQueries(),
      onConnection: (connection) => {
        this.#connection = connection;
        this.#announce();
      },
    });
    return () => {
      stop();
      if (this.#refresh !== null) clearTimeout(this.#refresh.timer);
      this.#refresh = null;
    };
  }

  /** Calls `watcher` for each event, until the returned function is called. */
  watch(watcher: (event: TaskEvent) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  apply(event: TaskEvent) {
    const { kind, data } = event;
    const id = data.task_id;
    if (id === undefined) return;
    if (kind === "forgotten") {
      this.#tasks.delete(id);
      this.queries.removeQueries({ queryKey: keys.task(id) });
    } else {
      this.#tasks.set(id, applied(this.#tasks.get(id), event));
      if (data.task !== undefined) void this.#keepLast(id, data.task);
      else if (kind !== "preview" && kind !== "progress") void this.queries.invalidateQueries({ queryKey: keys.task(id) });
      this.#forgetOld();
    }
    if (kind !== "preview") this.#refreshAfter(kind === "progress" ? LATER : SOON);
    this.#announce();
    for (const watcher of this.#watchers) watcher(event);
  }

  /** Keeps a task as its last event has it. An answer that is still on its way was made before, and must not replace it. */
  async #keepLast(id: string, task: Task) {
    await this.queries.cancelQueries({ queryKey: keys.task(id) });
    this.queries.setQueryData(keys.task(id), task);
  }

  get(id: string): LiveTask | undefined {
    return this.#tasks.get(id);
  }

  get connection(): Connection {
    return this.#connection;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #announce() {
    for (const listener of this.#listeners) listener();
  }

  /** Reads lists again, but not for each of many events. */
  #refreshAfter(interval: number) {
    const at = Math.max(Date.now() + 40, this.#refreshed + interval);
    if (this.#refresh !== null) {
      if (this.#refresh.at <= at) return;
      clearTimeout(this.#refresh.timer);
    }
    const timer = setTimeout(() => {
      this.#refresh = null;
      this.#refreshed = Date.now();
      void this.queries.invalidateQueries({ queryKey: keys.lists });
    }, at - Date.now());
    this.#refresh = { at, timer };
  }

  #forgetOld() {
    if (this.#tasks.size <= KEPT) return;
    for (const [id, task] of this.#tasks) {
      if (this.#tasks.size <= KEPT) return;
      if (hasEnded(task.status)) this.#tasks.delete(id);
    }
  }
}

function applied(before: LiveTask | undefined, { kind, data }: TaskEvent): LiveTask {
  const known: LiveTask = before ?? { status: "pending", progress: 0, partEvents: [] };
  if (kind === "preview") {
    if (data.image === undefined || hasEnded(known.status)) return known;
    const { image, width = 0, height = 0, part, step, steps, frame } = data;
    const preview: Preview = { image, width, height, part, step, steps, frame };
    return { ...known, status: "processing", preview, step: step ?? known.step, steps: steps ?? known.steps };
  }
  const status = data.status ?? known.status;
  return {
    ...known,
    status,
    progress: data.progress ?? (kind === "queued" || kind === "requeued" ? 0 : known.progress),
    part: data.part ?? known.part,
    parts: data.parts ?? known.parts,
    step: data.step ?? known.step,
    steps: data.steps ?? known.steps,
    partEvents: kind === "part" ? [...known.partEvents, data] : kind === "requeued" ? [] : known.partEvents,
    task: data.task,
    // Ended tasks have their files; previews are large.
    preview: hasEnded(status) ? undefined : known.preview,
  };
}

let store: TaskStore | null = null;

/** Sets the store that the hooks read: once, when the page starts. */
export function provideTaskStore(provided: TaskStore) {
  store = provided;
}

export function taskStore(): TaskStore {
  if (store === null) throw new Error("The task store is not set up: call provideTaskStore first");
  return store;
}

/** What events said of the task; undefined if there was none since the page was opened. */
export function useLiveTask(id: string | null): LiveTask | undefined {
  return useSyncExternalStore(taskStore().subscribe, () => (id === null ? undefined : taskStore().get(id)));
}

export function useConnection(): Connection {
  return useSyncExternalStore(taskStore().subscribe, () => taskStore().connection);
}
