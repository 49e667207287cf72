import { useSyncExternalStore } from "react";

const KEY = "framewright.key";

/** What the page knows of its key: whether the server asked for one, and whether it refused the one it got. */
export interface Session {
  readonly key: string | null;
  readonly isKeyNeeded: boolean;
  readonly isKeyWrong: boolean;
}

let session: Session = { key: sessionStorage.getItem(KEY), isKeyNeeded: false, isKeyWrong: false };
const listeners = new Set<() => void>();

function change(next: Session) {
  session = next;
  for (const listener of listeners) listener();
}

export function currentSession(): Session {
  return session;
}

export function subscribeSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Keeps the key until the tab is closed. */
export function signIn(key: string) {
  sessionStorage.setItem(KEY, key);
  change({ key, isKeyNeeded: false, isKeyWrong: false });
}

export function signOut() {
  sessionStorage.removeItem(KEY);
  change({ key: null, isKeyNeeded: true, isKeyWrong: false });
}

/** The server answered 401 to a request with this key. Answers to requests with an earlier key don't count. */
export function keyRefused(used: string | null) {
  if (used !== session.key || session.isKeyNeeded) return;
  change({ key: null, isKeyNeeded: true, isKeyWrong: used !== null });
}

export function useSession(): Session {
  return useSyncExternalStore(subscribeSession, currentSession);
}
