import { type Dispatch, type SetStateAction, useState } from "react";

const kept = new Map<string, unknown>();

/** State that outlives its view while the page is open: for what is too large for the browser's storage, such as pictures. */
export function useKept<T>(name: string, initial: T): [T, Dispatch<SetStateAction<T>>] {
  const [value, setValue] = useState<T>(() => (kept.has(name) ? (kept.get(name) as T) : initial));
  const keep: Dispatch<SetStateAction<T>> = (next) =>
    setValue((before) => {
      const after = typeof next === "function" ? (next as (before: T) => T)(before) : next;
      kept.set(name, after);
      return after;
    });
  return [value, keep];
}
