import { expect, test } from "vitest";
import type { Model } from "../../api/types";
import { firstSize, type GivenPictures, NO_PICTURES, requestOf, resultSize } from "./request";
import { DEFAULTS, settingsOfRequest, storedSettings } from "./settings";
import { sizeOfRatio } from "./shapes";

const model = (width: number, height: number) => ({ width, height }) as Model;
const picture = { name: "a.png", dataUrl: "data:image/png;base64,AQ==", width: 600, height: 400 };

test("shapes have about as many pixels as the model's own size, in multiples of eight", () => {
  expect(sizeOfRatio(1, model(512, 512))).toEqual({ width: 512, height: 512 });
  expect(sizeOfRatio(16 / 9, model(128, 128))).toEqual({ width: 168, height: 96 });
  for (const ratio of [3 / 4, 9 / 16, 4 / 3, 3 / 2, 16 / 9]) {
    const { width, height } = sizeOfRatio(ratio, model(1024, 1024));
    expect(width % 8 === 0 && height % 8 === 0, `${width} × ${height}`).toBe(true);
    expect(Math.abs((width * height) / 1024 ** 2 - 1)).toBeLessThan(0.02);
  }
});

test("a picture to start from can give the shape", () => {
  expect(firstSize({ ...DEFAULTS, shape: "picture" }, picture, model(512, 512))).toEqual({ width: 624, height: 416 });
});

test("what is left to the model is not in the request", () => {
  const { path, body } = requestOf({ ...DEFAULTS, prompt: "a boat" }, NO_PICTURES, { width: 512, height: 512 }, 7);
  expect(path).toBe("/api/v1/images/generate");
  expect(body).toEqual({ prompt: "a boat", width: 512, height: 512, seed: 7 });
});

test("pictures, masks and ControlNets are in the request", () => {
  const control = { id: 1, name: "canny", image: picture, weight: 0.5, start: 0, end: 1, preprocessor: "canny" };
  const pictures: GivenPictures = { start: picture, mask: { dataUrl: "data:mask", steps: [] }, controls: [control] };
  const settings = { ...DEFAULTS, prompt: "a boat", maskOnly: true, maskPadding: 16, hires: true, strength: 0.4 };
  const { path, body } = requestOf(settings, pictures, { width: 512, height: 512 }, 7);
  expect(path).toBe("/api/v1/images/generate-i2i");
  expect(body).toMatchObject({ image: picture.dataUrl, strength: 0.4, mask: "data:mask", mask_only: true, mask_padding: 16 });
  expect(body.controlnets).toEqual([{ name: "canny", image: picture.dataUrl, weight: 0.5, start: 0, end: 1, preprocessor: "canny" }]);
  // A second pass does not go with a picture.
  expect(body.hires).toBeUndefined();
});

test("a second pass enlarges the result", () => {
  const settings = { ...DEFAULTS, hires: true, hiresScale: 1.5 };
  expect(resultSize(settings, NO_PICTURES, model(512, 512), 2)).toEqual({ width: 768, height: 768 });
  expect(resultSize({ ...settings, hiresScale: null }, NO_PICTURES, model(512, 512), 2).width).toBe(1024);
});

test("a task's request fills the form, and makes the same request again", () => {
  const body = {
    prompt: "a boat",
    negative_prompt: "people",
    width: 640,
    height: 448,
    steps: 12,
    cfg_scale: 4,
    scheduler: "euler",
    seed: 99,
    loras: [{ name: "ink", weight: 0.8, text_weight: 0.2 }],
    hires: { scale: 2, strength: 0.5, steps: 6 },
  };
  const settings = settingsOfRequest({ path: "/api/v1/images/generate", body });
  expect(settings).toMatchObject({ seed: 99, isSeedLocked: true, shape: "custom", width: 320, height: 224 });
  const size = resultSize(settings, NO_PICTURES, undefined, 2);
  expect(requestOf(settings, NO_PICTURES, size, settings.seed).body).toEqual(body);
  expect(settingsOfRequest({ path: "", body: { reference_weight: 0.7, loras: ["ink:0.5", 3] } })).toMatchObject({
    strength: 0.3,
    loras: [{ name: "ink", weight: 0.5 }],
  });
});

test("stored settings of another form have their defaults", () => {
  const stored = { prompt: "a boat", steps: "many", count: 99, shape: "picture", loras: [{ name: "ink" }], isSeedLocked: 1 };
  const settings = storedSettings(stored);
  expect(settings).toMatchObject({ prompt: "a boat", steps: null, count: 8, shape: "square", loras: [], isSeedLocked: false });
  expect(storedSettings(null).prompt).toBe("");
});
