import { useEffect, useRef } from "react";
import { navigate } from "wouter/use-hash-location";
import type { Task } from "../api/types";

/** What a view hands over to another one: a request to make again, or a picture to start from. */
export interface Handoff {
  readonly request?: NonNullable<Task["request"]>;
  readonly pictures?: readonly { readonly role: "image" | "control"; readonly url: string; readonly name: string }[];
}

type Receiver = "image" | "motion";

const waiting = new Map<Receiver, Handoff>();
const listeners = new Map<Receiver, (handoff: Handoff) => void>();

/** Opens the view with what is handed over. */
export function handOver(view: Receiver, handoff: Handoff) {
  const listener = listeners.get(view);
  if (listener === undefined) waiting.set(view, handoff);
  else listener(handoff);
  navigate(`/${view}`);
}

/** Calls `receive` with what another view handed over. */
export function useHandoff(view: Receiver, receive: (handoff: Handoff) => void) {
  const latest = useRef(receive);
  latest.current = receive;
  useEffect(() => {
    const listener = (handoff: Handoff) => latest.current(handoff);
    const handoff = waiting.get(view);
    waiting.delete(view);
    if (handoff !== undefined) listener(handoff);
    listeners.set(view, listener);
    return () => {
      listeners.delete(view);
    };
  }, [view]);
}
