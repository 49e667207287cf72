import { expect, test } from "vitest";
import { firstView } from "./view-files";

test("the first view is that of the address, or the one for images", () => {
  expect(firstView("#/gallery")).toBe("/gallery");
  expect(firstView("#/gallery/compare/a/b")).toBe("/gallery");
  expect(["", "#", "#/", "#/galleryfriend", "#/nothing"].map(firstView)).toEqual(Array(5).fill("/image"));
});
