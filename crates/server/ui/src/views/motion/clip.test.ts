import { expect, test } from "vitest";
import { bodyOfClip, bucketOf, clipOfBody, frameSize, lengthOfRun, newClip, parsedSize, storedClip, usualLonger } from "./clip-settings";

const image = { name: "boat.png", dataUrl: "data:image/png;base64,AQ==", width: 400, height: 300 };
const models = {
  models: [],
  adapters: [],
  controlnets: [],
  upscalers: [],
  motion: { name: "m", width: 1024, height: 576, frames: 25, fps: 7 },
};

test("frames have the picture's shape at the motion model's longer side", () => {
  expect(frameSize(newClip(), image, models)).toEqual({ width: 1024, height: 768 });
  expect(frameSize(newClip(), { ...image, width: 300, height: 400 }, models)).toEqual({ width: 768, height: 1024 });
  expect(frameSize({ ...newClip(), shape: "wide", longer: 640 }, image, models)).toEqual({ width: 640, height: 360 });
  // As many pixels as the schema's default has, where no motion model is known.
  expect(usualLonger(undefined, 16 / 9)).toBe(1920);
  expect(frameSize(newClip(), { ...image, height: 400 }, undefined)).toEqual({ width: 1440, height: 1440 });
});

test("the length of one run comes from the model", () => {
  expect(lengthOfRun(models)).toBe(3.6);
  expect(lengthOfRun(undefined)).toBeNull();
});

test("what the person left open is left to the server", () => {
  const clip = { ...newClip(), seed: 4 };
  expect(bodyOfClip(clip, image, { width: 64, height: 48 })).toEqual({ image: image.dataUrl, resolution: "64x48", seed: 4 });
  expect(
    bodyOfClip({ ...clip, prompt: "waves", strength: 0, camera: "pan", duration: 3, fps: 24 }, image, { width: 64, height: 48 }),
  ).toEqual({
    ...{ image: image.dataUrl, resolution: "64x48", seed: 4, prompt: "waves" },
    ...{ motion_strength: 0, camera_motion: "pan", duration: 3, fps: 24 },
  });
});

test("a strength is a bucket", () => {
  expect([0, 0.5, 1].map(bucketOf)).toEqual([1, 128, 255]);
});

test("a request becomes settings again", () => {
  const body = { prompt: "waves", motion_strength: 0.7, camera_motion: "zoom", duration: 4, fps: 24, resolution: "640x360", seed: 11 };
  expect(clipOfBody(body)).toMatchObject({
    ...{ prompt: "waves", strength: 0.7, camera: "zoom", duration: 4, fps: 24, longer: 640 },
    ...{ seed: 11, isSeedLocked: true },
  });
  expect(clipOfBody({ motion_bucket_id: 128, fps: 7, seed: 2 })).toMatchObject({ strength: 0.5, fps: null, seed: 2 });
});

test("stored settings come back; what is none has its default", () => {
  const clip = { ...newClip(), strength: 0.2, camera: "pan", shape: "wide" as const, isSeedLocked: true };
  expect(storedClip(JSON.parse(JSON.stringify(clip)))).toEqual(clip);
  expect(storedClip({ strength: "much", shape: "round" })).toMatchObject({ strength: null, shape: "picture" });
});

test("sizes are read", () => {
  expect(parsedSize("1920x1080")).toEqual({ width: 1920, height: 1080 });
  expect(parsedSize("720p")).toBeNull();
});
