import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

// jsdom has no CSS object; React Aria escapes ids with it.
globalThis.CSS ??= { escape: (text: string) => text.replace(/[^\w-]/g, "\\$&"), supports: () => false } as unknown as typeof CSS;

afterEach(() => {
  cleanup();
  localStorage.clear();
  sessionStorage.clear();
});
