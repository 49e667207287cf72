import { useState } from "react";

const KEY = "framewright.image-shown";

/** The tasks on the stage. The tab remembers them, so that a reload finds running ones again. */
export function useShown(): [readonly string[], (ids: readonly string[]) => void] {
  const [ids, setIds] = useState(stored);
  const show = (next: readonly string[]) => {
    sessionStorage.setItem(KEY, JSON.stringify(next));
    setIds(next);
  };
  return [ids, show];
}

function stored(): readonly string[] {
  try {
    const ids: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}
