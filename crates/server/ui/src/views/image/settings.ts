import type { Task } from "../../api/types";
import { SHAPES, type ShapeId } from "./shapes";

export interface LoraSetting {
  readonly name: string;
  readonly weight: number;
  /** Its weight in the text encoder, where a request set another one. */
  readonly text_weight?: number;
}

/** What the person set. Null is the model's own choice. Pictures are not part of it: they are not kept. */
export interface ImageSettings {
  readonly prompt: string;
  readonly negative: string;
  readonly count: number;
  readonly model: string | null;
  readonly shape: ShapeId;
  /** With the shape "custom". */
  readonly width: number;
  readonly height: number;
  readonly steps: number | null;
  readonly guidance: number | null;
  readonly scheduler: string | null;
  readonly vae: string | null;
  readonly syntax: string | null;
  readonly seed: number;
  readonly isSeedLocked: boolean;
  /** None if empty, the model's usual ones if null. */
  readonly loras: readonly LoraSetting[] | null;
  /** How much of the given picture is repainted. */
  readonly strength: number;
  readonly maskBlur: number | null;
  readonly maskFill: string | null;
  readonly maskOnly: boolean;
  readonly maskPadding: number | null;
  readonly guessMode: boolean;
  readonly hires: boolean;
  readonly hiresScale: number | null;
  readonly hiresStrength: number | null;
  readonly hiresUpscaler: string | null;
  /** As many as in the first pass if null. */
  readonly hiresSteps: number | null;
  readonly refiner: string | null;
  readonly refinerSwitch: number | null;
}

export const MOST_IMAGES = 8;

export const DEFAULTS: ImageSettings = {
  prompt: "",
  negative: "",
  count: 1,
  model: null,
  shape: "square",
  width: 512,
  height: 512,
  steps: null,
  guidance: null,
  scheduler: null,
  vae: null,
  syntax: null,
  seed: 0,
  isSeedLocked: false,
  loras: null,
  strength: 0.6,
  maskBlur: null,
  maskFill: null,
  maskOnly: false,
  maskPadding: null,
  guessMode: false,
  hires: false,
  hiresScale: null,
  hiresStrength: null,
  hiresUpscaler: null,
  hiresSteps: null,
  refiner: null,
  refinerSwitch: null,
};

/** A seed of 32 bits: enough to draw from, short enough to read. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** Settings from the browser's storage. What an earlier version of the page kept in another form has the default. */
export function storedSettings(stored: unknown): ImageSettings {
  const fresh = { ...DEFAULTS, seed: randomSeed() };
  if (typeof stored !== "object" || stored === null) return fresh;
  const given = stored as Record<string, unknown>;
  const kept = Object.entries(fresh).map(([name, value]) => [name, keptValue(name, value, given[name])]);
  return Object.fromEntries(kept) as ImageSettings;
}

const TEXTS = new Set(["model", "scheduler", "vae", "syntax", "maskFill", "hiresUpscaler", "refiner"]);

function keptValue(name: string, fallback: unknown, given: unknown): unknown {
  if (name === "loras") return Array.isArray(given) ? given.filter(isLora) : fallback;
  if (name === "shape") return isShape(given) ? given : fallback;
  if (fallback === null) return typeof given === (TEXTS.has(name) ? "string" : "number") ? given : null;
  if (name === "count" && typeof given === "number") return Math.min(Math.max(Math.round(given), 1), MOST_IMAGES);
  return typeof given === typeof fallback && given !== null ? given : fallback;
}

function isShape(value: unknown): value is ShapeId {
  return value === "custom" || SHAPES.some(({ id }) => id === value);
}

function isLora(value: unknown): value is LoraSetting {
  if (typeof value !== "object" || value === null) return false;
  const { name, weight } = value as Record<string, unknown>;
  return typeof name === "string" && typeof weight === "number";
}

type Request = NonNullable<Task["request"]>;

/** The settings that make a task's request again. The seed is locked, so that the result is the same. */
export function settingsOfRequest({ body }: Request): ImageSettings {
  const text = (name: string) => (typeof body[name] === "string" ? (body[name] as string) : null);
  const number = (name: string) => (typeof body[name] === "number" ? (body[name] as number) : null);
  const hires = typeof body.hires === "object" && body.hires !== null ? (body.hires as Record<string, unknown>) : null;
  const ofHires = (name: string) => (typeof hires?.[name] === "number" ? (hires[name] as number) : null);
  const scale = hires === null ? 1 : (ofHires("scale") ?? 2);
  const weight = number("reference_weight");
  return {
    ...DEFAULTS,
    prompt: text("prompt") ?? "",
    negative: text("negative_prompt") ?? "",
    model: text("model"),
    shape: "custom",
    width: Math.round((number("width") ?? DEFAULTS.width) / scale),
    height: Math.round((number("height") ?? DEFAULTS.height) / scale),
    steps: number("steps"),
    guidance: number("cfg_scale"),
    scheduler: text("scheduler"),
    vae: text("vae"),
    syntax: text("prompt_syntax"),
    seed: number("seed") ?? randomSeed(),
    isSeedLocked: number("seed") !== null,
    loras: Array.isArray(body.loras) ? lorasOf(body.loras) : null,
    strength: number("strength") ?? (weight === null ? DEFAULTS.strength : Math.round((1 - weight) * 1e6) / 1e6),
    maskBlur: number("mask_blur"),
    maskFill: text("mask_fill"),
    maskOnly: body.mask_only === true,
    maskPadding: number("mask_padding"),
    guessMode: body.guess_mode === true,
    hires: hires !== null,
    hiresScale: ofHires("scale"),
    hiresStrength: ofHires("strength"),
    hiresSteps: ofHires("steps") === number("steps") ? null : ofHires("steps"),
    hiresUpscaler: typeof hires?.upscaler === "string" ? hires.upscaler : null,
    refiner: text("refiner"),
    refinerSwitch: number("refiner_switch"),
  };
}

/** LoRAs of a request or of a model: objects, or texts such as "ink:0.8". */
export function lorasOf(given: readonly unknown[]): LoraSetting[] {
  return given.flatMap((entry: unknown) => {
    if (typeof entry === "string") {
      const [name = "", weight = "1"] = entry.split(":");
      const number = Number(weight);
      return [{ name, weight: Number.isFinite(number) ? number : 1 }];
    }
    if (typeof entry !== "object" || entry === null) return [];
    const { name, weight, text_weight } = entry as Record<string, unknown>;
    if (typeof name !== "string") return [];
    const lora = { name, weight: typeof weight === "number" ? weight : 1 };
    return [typeof text_weight === "number" && text_weight !== lora.weight ? { ...lora, text_weight } : lora];
  });
}
