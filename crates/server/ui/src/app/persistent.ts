import { type Dispatch, type SetStateAction, useEffect, useState } from "react";

/**
 * State that this browser keeps. `read` turns what was stored, perhaps by an earlier version of the page, into a valid value.
 */
export function usePersistent<T>(name: string, read: (stored: unknown) => T): [T, Dispatch<SetStateAction<T>>] {
  const key = `framewright.${name}`;
  const [value, setValue] = useState(() => read(stored(key)));
  useEffect(() => {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // A full or forbidden storage loses the settings at the next visit; nothing else.
    }
  }, [key, value]);
  return [value, setValue];
}

function stored(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}
