import { createParser } from "eventsource-parser";
import { useEffect, useState } from "react";
import { apiBase } from "../../api/base";
import { apiFetch } from "../../api/client";
import type { TaskEvent } from "../../api/events";
import { taskStore } from "../../api/task-store";
import type { TimelineEntry } from "../../api/types";
import { number, record, text } from "./scene-draft";

/** A part of a video that is finished. */
export interface FinishedPart {
  readonly kind: "scene" | "join";
  /** From 0; of a join, the scene before it. */
  readonly scene: number;
  /** Whether it was taken from an earlier video. */
  readonly reused: boolean;
  /** A small picture of a scene. */
  readonly still: string | null;
}

/** Finished parts by `partKey`. */
export type FinishedParts = ReadonlyMap<string, FinishedPart>;

const NONE: FinishedParts = new Map();

export function partKey({ kind, scene }: { kind: string; scene: number }): string {
  return `${kind} ${scene}`;
}

/** The part of an event; null if the event is about something else. */
export function partOf({ kind, data }: TaskEvent): FinishedPart | null {
  const scene = number(data.scene);
  const of = text(data.kind);
  if (kind !== "part" || scene === null || (of !== "scene" && of !== "join")) return null;
  return { kind: of, scene, reused: data.reused === true, still: text(data.still_url) };
}

/**
 * The finished parts of a task. Events bring them as they are finished. Those from before the page was opened are in the task's own stream,
 * which tells its whole history.
 */
export function useFinishedParts(id: string | null): FinishedParts {
  const [known, setKnown] = useState<{ id: string | null; parts: FinishedParts }>({ id, parts: NONE });
  if (known.id !== id) setKnown({ id, parts: NONE });
  useEffect(() => {
    if (id === null) return;
    const add = (event: TaskEvent) => {
      const part = event.data.task_id === id ? partOf(event) : null;
      if (part !== null) setKnown((before) => (before.id === id ? { id, parts: new Map(before.parts).set(partKey(part), part) } : before));
    };
    const stopWatching = taskStore().watch(add);
    const reading = new AbortController();
    // Without its history a task has fewer stills; nothing else.
    readHistory(id, reading.signal, add).catch(() => undefined);
    return () => {
      stopWatching();
      reading.abort();
    };
  }, [id]);
  return known.parts;
}

/** The stream of a task that runs stays open; after this many milliseconds without an event its past is told. */
const QUIET = 1000;

async function readHistory(id: string, stopped: AbortSignal, onEvent: (event: TaskEvent) => void) {
  const url = new URL(`api/v1/tasks/${encodeURIComponent(id)}/events?last_event_id=0`, apiBase);
  const told = new AbortController();
  const signal = AbortSignal.any([stopped, told.signal]);
  const response = await apiFetch(new Request(url, { headers: { Accept: "text/event-stream" }, signal, cache: "no-store" }));
  if (!response.ok || response.body === null) return;
  const parser = createParser({
    onEvent: ({ event, data }) => {
      const parsed = record(JSON.parse(data));
      if (event !== undefined && parsed !== null) onEvent({ kind: event, data: parsed });
    },
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const quiet = setTimeout(() => told.abort(), QUIET);
    const { done, value } = await reader.read().finally(() => clearTimeout(quiet));
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

/** Whether there is nothing to make of it. */
export function isCut(entry: TimelineEntry): boolean {
  return entry.kind === "join" && (entry.frames === 0 || entry.join === "cut");
}

/** How many parts a video makes, and how many it takes from earlier ones. Cuts are neither. */
export function countParts(timeline: readonly TimelineEntry[]): { made: number; kept: number } {
  const parts = timeline.filter((entry) => !isCut(entry));
  const kept = parts.filter((entry) => entry.cached).length;
  return { made: parts.length - kept, kept };
}

/** The number with its noun: "1 part", "3 parts". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What becomes of a part: of the next video ("kept", "new"), or of the one in the making. */
export type PartState = "kept" | "new" | "waiting" | "running" | "made" | "reused" | "cut";

/** A video that was asked for. */
export interface MadeVideo {
  readonly taskId: string;
  /** The request, as JSON. */
  readonly request: string;
  /** The scenes of the request, by their ids in the editor. */
  readonly sceneIds: readonly string[];
  /** What the server said of it before; null if it had not answered yet. */
  readonly timeline: readonly TimelineEntry[] | null;
  readonly fps: number | null;
}

/** What the editor's timeline shows of each part. While a video is in the making, parts are followed by their scenes' ids. */
export function statesOf(
  timeline: readonly TimelineEntry[],
  sceneIds: readonly string[],
  running: { video: MadeVideo; finished: FinishedParts; hasStarted: boolean } | null,
): PartState[] {
  const states = timeline.map((entry): PartState => (isCut(entry) ? "cut" : entry.cached ? "kept" : "new"));
  if (running === null) return states;
  const { video, finished, hasStarted } = running;
  let isNext = hasStarted;
  return states.map((state, index) => {
    const entry = timeline[index];
    if (entry === undefined || state === "cut") return state;
    const scene = video.sceneIds.indexOf(sceneIds[entry.scene] ?? "");
    const isThere = scene >= 0 && (entry.kind === "scene" || video.sceneIds[scene + 1] === sceneIds[entry.scene + 1]);
    if (!isThere) return state;
    const part = finished.get(partKey({ kind: entry.kind, scene }));
    if (part !== undefined) return part.reused ? "reused" : "made";
    const next = isNext ? "running" : "waiting";
    isNext = false;
    return next;
  });
}

/** Whether two timelines have the same parts at the same frames, so that a position in one is one in the other. */
export function sameSpans(one: readonly TimelineEntry[] | null, other: readonly TimelineEntry[] | null): boolean {
  if (one === null || other === null || one.length !== other.length) return false;
  return one.every((entry, index) => {
    const { kind, scene, start_frame, frames } = other[index] ?? {};
    return entry.kind === kind && entry.scene === scene && entry.start_frame === start_frame && entry.frames === frames;
  });
}

/** A made video from the browser's storage. */
export function storedVideo(stored: unknown): MadeVideo | null {
  const given = record(stored);
  const taskId = text(given?.taskId);
  if (given === null || taskId === null || !Array.isArray(given.sceneIds)) return null;
  return {
    taskId,
    request: text(given.request) ?? "",
    sceneIds: given.sceneIds.filter((id) => typeof id === "string"),
    timeline: Array.isArray(given.timeline) ? (given.timeline as TimelineEntry[]) : null,
    fps: number(given.fps),
  };
}
