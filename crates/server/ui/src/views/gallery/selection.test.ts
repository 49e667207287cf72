import { expect, test } from "vitest";
import { extended, moved, NOTHING, pruned, toggled } from "./selection";

const order = ["a", "b", "c", "d", "e"];

test("a range starts at the last one that was selected by itself", () => {
  const one = toggled(NOTHING, "b");
  expect([...extended(one, "d", order).ids]).toEqual(["b", "c", "d"]);
  expect([...extended(extended(one, "d", order), "a", order).ids].sort()).toEqual(["a", "b", "c", "d"]);
  expect([...extended(NOTHING, "c", order, "b").ids]).toEqual(["b", "c"]);
});

test("what left the list leaves the selection", () => {
  const all = { ids: new Set(order), anchor: "a" };
  expect(pruned(all, (id) => id !== "a")).toEqual({ ids: new Set(["b", "c", "d", "e"]), anchor: null });
  expect(pruned(all, () => true)).toBe(all);
});

test.each([
  ["ArrowRight", 0, 1],
  ["ArrowRight", 9, 9],
  ["ArrowLeft", 0, 0],
  ["ArrowDown", 0, 4],
  ["ArrowDown", 7, 9],
  ["ArrowDown", 8, 8],
  ["ArrowUp", 2, 2],
  ["ArrowUp", 9, 5],
  ["Home", 6, 4],
  ["End", 5, 7],
  ["End", 8, 9],
  ["PageDown", 1, 9],
  ["PageUp", 9, 1],
  ["Tab", 3, null],
])("%s from %i goes to %s in ten of four columns", (key, from, to) => {
  expect(moved(key, from, { count: 10, columns: 4, pageRows: 2 })).toBe(to);
});
