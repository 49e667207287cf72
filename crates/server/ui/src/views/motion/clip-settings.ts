import { fact } from "../../api/limits";
import type { Models } from "../../api/types";
import type { GivenImage } from "../../components";
import { SHAPES, type ShapeId, type Size } from "../image/shapes";
import { number, randomSeed, record, text } from "./scene-draft";

export const CLIP = "VideoTaskRequest";

/** How a given picture is set in motion. Null is the server's or the model's default. */
export interface ClipSettings {
  readonly prompt: string;
  /** From 0 to 1. */
  readonly strength: number | null;
  readonly camera: string | null;
  /** In seconds; null for as long as one run of the model lasts. */
  readonly duration: number | null;
  readonly fps: number | null;
  readonly shape: ShapeId;
  /** The longer side of a frame in pixels. */
  readonly longer: number | null;
  readonly model: string | null;
  readonly seed: number;
  readonly isSeedLocked: boolean;
}

export function newClip(): ClipSettings {
  return {
    ...{ prompt: "", strength: null, camera: null, duration: null, fps: null, shape: "picture", longer: null, model: null },
    seed: randomSeed(),
    isSeedLocked: false,
  };
}

/** Settings from the browser's storage. */
export function storedClip(stored: unknown): ClipSettings {
  const given = record(stored) ?? {};
  const usual = newClip();
  return {
    prompt: text(given.prompt) ?? usual.prompt,
    strength: number(given.strength),
    camera: text(given.camera),
    duration: number(given.duration),
    fps: number(given.fps),
    shape: SHAPES.find(({ id }) => id === given.shape)?.id ?? usual.shape,
    longer: number(given.longer),
    model: text(given.model),
    seed: number(given.seed) ?? usual.seed,
    isSeedLocked: given.isSeedLocked === true,
  };
}

/** A size of "1920x1080". */
export function parsedSize(value: unknown): Size | null {
  const [, width, height] = /^\s*(\d+)\s*[x×]\s*(\d+)\s*$/i.exec(String(value)) ?? [];
  return width === undefined || height === undefined ? null : { width: Number(width), height: Number(height) };
}

/**
 * The longer side that is taken if none is set: the motion model's own, because larger frames are only enlarged. Where that is not known, that
 * of as many pixels as the server's default has.
 */
export function usualLonger(models: Models | undefined, ratio: number): number {
  if (models?.motion) return Math.max(models.motion.width, models.motion.height);
  const { width, height } = parsedSize(fact(CLIP, "resolution").default) ?? { width: 1024, height: 576 };
  return Math.floor(Math.sqrt(width * height * Math.max(ratio, 1 / ratio)) / 2) * 2;
}

/** How long one run of the motion model lasts, in seconds, within what a request can ask for; null while that is not known. */
export function lengthOfRun(models: Models | undefined): number | null {
  const motion = models?.motion;
  return motion ? Math.round((motion.frames / motion.fps) * 10) / 10 : null;
}

/** The width of a frame by its height. */
export function frameRatio({ shape }: ClipSettings, image: GivenImage | null): number {
  return SHAPES.find(({ id }) => id === shape)?.ratio ?? (image === null ? 1 : image.width / image.height);
}

/** The size of a frame in the chosen shape. Encoders need even sides. */
export function frameSize(settings: ClipSettings, image: GivenImage | null, models: Models | undefined): Size {
  const ratio = frameRatio(settings, image);
  const longer = settings.longer ?? usualLonger(models, ratio);
  const even = (pixels: number) => Math.max(16, Math.round(pixels / 2) * 2);
  return ratio >= 1 ? { width: even(longer), height: even(longer / ratio) } : { width: even(longer * ratio), height: even(longer) };
}

/** The motion bucket of a strength, as the schema states it. */
export function bucketOf(strength: number): number {
  return Math.round(1 + strength * 254);
}

/** The body of `POST /api/v1/videos/generate`, which takes any length, size and camera; `POST /animate` runs a model once. */
export function bodyOfClip(settings: ClipSettings, image: GivenImage, size: Size): Record<string, unknown> {
  const fields = {
    image: image.dataUrl,
    prompt: settings.prompt.trim() === "" ? null : settings.prompt,
    duration: settings.duration,
    fps: settings.fps,
    resolution: `${size.width}x${size.height}`,
    motion_strength: settings.strength,
    camera_motion: settings.camera,
    model: settings.model,
    seed: settings.seed,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** The settings that make a clip again: of `POST /api/v1/videos/generate`, or what `POST /animate` has of them. */
export function clipOfBody(body: Record<string, unknown>): ClipSettings {
  const size = parsedSize(body.resolution);
  const bucket = number(body.motion_bucket_id);
  const seed = number(body.seed);
  return {
    ...newClip(),
    prompt: text(body.prompt) ?? "",
    strength: number(body.motion_strength) ?? (bucket === null ? null : Math.min(Math.max((bucket - 1) / 254, 0), 1)),
    camera: text(body.camera_motion),
    duration: number(body.duration),
    fps: body.resolution === undefined ? null : number(body.fps),
    longer: size === null ? null : Math.max(size.width, size.height),
    model: text(body.model),
    ...(seed === null ? {} : { seed, isSeedLocked: true }),
  };
}
