import { duration } from "../components/format";
import type { LiveTask, Preview } from "./task-store";
import { hasEnded, type TaskStatus } from "./types";

/** What a task and a list of tasks both say. */
interface Known {
  readonly status: TaskStatus;
  readonly progress: number;
  readonly message: string;
  readonly queue_position: number | null;
  readonly eta_seconds: number | null;
}

/** A task's state from the server's last answer and the events since. */
export interface TaskState {
  readonly status: TaskStatus;
  readonly progress: number;
  readonly message: string;
  /** How many tasks are served before it, while it waits. */
  readonly position: number | null;
  /** Seconds until it is done; null while there is no forecast. */
  readonly eta: number | null;
  readonly step?: number;
  readonly steps?: number;
  readonly part?: number;
  readonly parts?: number;
  readonly preview?: Preview;
}

const ORDER: readonly TaskStatus[] = ["pending", "processing"];

/** Puts both together. An ended task stays ended, whichever of the two knows it. */
export function taskState(known: Known | undefined, live: LiveTask | undefined): TaskState {
  const base = {
    message: known?.message ?? "",
    position: known?.queue_position ?? null,
    eta: known?.eta_seconds ?? null,
  };
  if (live === undefined || (known !== undefined && hasEnded(known.status))) {
    return { ...base, status: known?.status ?? "pending", progress: known?.progress ?? 0 };
  }
  const isLater = known === undefined || hasEnded(live.status) || ORDER.indexOf(live.status) >= ORDER.indexOf(known.status);
  const { step, steps, part, parts, preview } = live;
  return {
    ...base,
    status: isLater ? live.status : (known?.status ?? live.status),
    progress: Math.max(live.progress, known?.progress ?? 0),
    ...{ step, steps, part, parts, preview },
  };
}

/** The state in a few words: "Step 5 of 25, about 8 s left". */
export function stateText(state: TaskState): string {
  const { status, step, steps, part, parts, eta, position } = state;
  const forecast = eta === null ? null : `${eta < 1 ? "" : "about "}${duration(eta)} left`;
  switch (status) {
    case "pending": {
      const place = position === null || position === 0 ? "Waiting, next" : `Waiting, ${position} before it`;
      return [place, forecast].filter((text) => text !== null).join(", ");
    }
    case "processing": {
      const isPart = part !== undefined && parts !== undefined && parts > 1 && part < parts;
      const ofPart = isPart ? `Part ${part + 1} of ${parts}` : null;
      const ofStep = steps ? `Step ${step ?? 0} of ${steps}` : null;
      const texts = [ofPart, ofStep, forecast].filter((text) => text !== null);
      return texts.length === 0 ? "Starting" : texts.join(", ");
    }
    case "completed":
      return "Done";
    case "failed":
      return "Failed";
    case "cancelled":
      return "Cancelled";
  }
}
