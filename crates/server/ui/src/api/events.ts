import { createParser } from "eventsource-parser";
import { apiBase } from "./base";
import { apiFetch } from "./client";
import { problemOf } from "./problems";
import { currentSession, subscribeSession } from "./session";
import type { Task, TaskStatus } from "./types";

const LAST_ID = "framewright.last-event-id";
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

/** An event of a task. Which keys `data` has beyond these depends on its kind; /openapi.json describes them. */
export interface TaskEvent {
  readonly kind: string;
  readonly data: {
    readonly task_id?: string;
    readonly status?: TaskStatus;
    readonly at?: string;
    readonly progress?: number;
    readonly part?: number;
    readonly parts?: number;
    readonly step?: number;
    readonly steps?: number;
    readonly frame?: number;
    readonly frames?: number;
    readonly image?: string;
    readonly width?: number;
    readonly height?: number;
    readonly task?: Task;
    readonly [key: string]: unknown;
  };
}

/** "connecting" until the first answer, "open" while events come, "lost" between attempts, "closed" without a key. */
export type Connection = "connecting" | "open" | "lost" | "closed";

interface Listener {
  onEvent(event: TaskEvent): void;
  /** The stream is open again, or for the first time; `resumed` if nothing was missed. */
  onOpen(resumed: boolean): void;
  onConnection(connection: Connection): void;
}

/**
 * Follows all tasks on one stream: reads it with `fetch`, because EventSource cannot send a key. Resumes after the last event that it saw,
 * across breaks, reloads and restarts of the server.
 */
export function followEvents(listener: Listener): () => void {
  const stopped = new AbortController();
  void follow(listener, stopped.signal);
  return () => stopped.abort();
}

async function follow(listener: Listener, stopped: AbortSignal) {
  let wait = FIRST_WAIT;
  listener.onConnection("connecting");
  while (!stopped.aborted) {
    if (currentSession().isKeyNeeded) {
      listener.onConnection("closed");
      await signedIn(stopped);
      continue;
    }
    try {
      await read(listener, stopped, () => {
        wait = FIRST_WAIT;
      });
    } catch {
      // Whatever broke it, the next attempt shows whether it is over.
    }
    if (stopped.aborted) return;
    if (currentSession().isKeyNeeded) continue;
    listener.onConnection("lost");
    await pause(wait, stopped);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

async function read(listener: Listener, stopped: AbortSignal, opened: () => void) {
  const headers = new Headers({ Accept: "text/event-stream" });
  const last = sessionStorage.getItem(LAST_ID);
  if (last !== null) headers.set("Last-Event-ID", last);
  const url = new URL("api/v1/events?previews=true", apiBase);
  const response = await apiFetch(new Request(url, { headers, signal: stopped, cache: "no-store" }));
  if (!response.ok || response.body === null) throw problemOf(response.status, null);
  opened();
  listener.onConnection("open");
  listener.onOpen(last !== null);
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      if (id !== undefined) sessionStorage.setItem(LAST_ID, id);
      const parsed = parse(data);
      if (parsed !== null && event !== undefined && event !== "hello") listener.onEvent({ kind: event, data: parsed });
    },
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

function parse(data: string): TaskEvent["data"] | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? (value as TaskEvent["data"]) : null;
  } catch {
    return null;
  }
}

/** Waits, but no longer than until the network is back or the page is shown again. */
function pause(milliseconds: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      stopped.removeEventListener("abort", finish);
      window.removeEventListener("online", finish);
      document.removeEventListener("visibilitychange", finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    stopped.addEventListener("abort", finish);
    window.addEventListener("online", finish);
    document.addEventListener("visibilitychange", finish);
  });
}

function signedIn(stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const unsubscribe = subscribeSession(() => {
      if (!currentSession().isKeyNeeded) finish();
    });
    const finish = () => {
      unsubscribe();
      stopped.removeEventListener("abort", finish);
      resolve();
    };
    stopped.addEventListener("abort", finish);
  });
}
