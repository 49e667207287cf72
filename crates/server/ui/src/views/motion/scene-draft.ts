import { fact } from "../../api/limits";

/** How a scene, or a given picture, moves. Null is the server's default. */
export interface MotionDraft {
  readonly motion_bucket_id: number | null;
  readonly noise_aug_strength: number | null;
  readonly num_frames: number | null;
  readonly num_inference_steps: number | null;
  readonly conditioning_fps: number | null;
  readonly min_guidance_scale: number | null;
  readonly max_guidance_scale: number | null;
  readonly decode_chunk_size: number | null;
}

export const NO_MOTION: MotionDraft = {
  motion_bucket_id: null,
  noise_aug_strength: null,
  num_frames: null,
  num_inference_steps: null,
  conditioning_fps: null,
  min_guidance_scale: null,
  max_guidance_scale: null,
  decode_chunk_size: null,
};

/** A scene in the editor. */
export interface SceneDraft {
  /** Tells scenes apart while they are moved about; requests do not have it. */
  readonly id: string;
  readonly prompt: string;
  /** Null for the negative prompt of all scenes. */
  readonly negative: string | null;
  /** In seconds. */
  readonly duration: number;
  readonly moves: boolean;
  readonly motion: MotionDraft;
  /** Always concrete: with the server's own, which count up from the first, an added scene would change those after it. */
  readonly seed: number;
  /** Whether "New seeds" leaves it alone. */
  readonly isSeedLocked: boolean;
  /** How it changes to the next one. */
  readonly join: string;
  readonly joinFrames: number;
}

export interface LoraDraft {
  readonly name: string;
  readonly weight: number;
}

/** What all scenes share. Null is the server's or the model's default. */
export interface SharedDraft {
  readonly hero: string;
  readonly negative: string;
  /** A number, or a fraction such as "30000/1001". */
  readonly fps: number | string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly steps: number | null;
  readonly guidance: number | null;
  readonly scheduler: string | null;
  readonly model: string | null;
  readonly vae: string | null;
  readonly syntax: string | null;
  /** Null for the model's usual ones. */
  readonly loras: readonly LoraDraft[] | null;
}

export interface VideoDraft {
  readonly scenes: readonly SceneDraft[];
  readonly shared: SharedDraft;
}

export const NOTHING_SHARED: SharedDraft = {
  hero: "",
  negative: "",
  fps: null,
  width: null,
  height: null,
  steps: null,
  guidance: null,
  scheduler: null,
  model: null,
  vae: null,
  syntax: null,
  loras: null,
};

/** A seed of 32 bits: enough to draw from, short enough to read. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** A default of /openapi.json. */
function usual<T extends string | number>(schema: string, field: string, otherwise: T): T {
  const value = fact(schema, field).default;
  return typeof value === typeof otherwise ? (value as T) : otherwise;
}

/** A new scene. It continues in the manner of the one before it. */
export function newScene(before?: SceneDraft): SceneDraft {
  return {
    id: crypto.randomUUID(),
    prompt: "",
    negative: null,
    duration: before?.duration ?? usual("GenerateVideoRequest", "duration_per_scene", 3),
    moves: before?.moves ?? false,
    motion: before?.motion ?? NO_MOTION,
    seed: randomSeed(),
    isSeedLocked: false,
    join: before?.join ?? usual("GenerateVideoRequest", "join", "crossfade"),
    joinFrames: before?.joinFrames ?? usual("GenerateVideoRequest", "transition_frames", 12),
  };
}

/** Two scenes: the fewest that make a video. */
export function newVideo(): VideoDraft {
  const first = newScene();
  return { scenes: [first, newScene(first)], shared: NOTHING_SHARED };
}

/** Whether a person has written nothing yet. */
export function isBlank({ scenes, shared }: VideoDraft): boolean {
  return scenes.every((scene) => scene.prompt.trim() === "") && shared.hero.trim() === "";
}

/** Adds a scene behind the one with this id, or at the end. */
export function insertAfter(scenes: readonly SceneDraft[], id: string | null, scene: SceneDraft): SceneDraft[] {
  const index = scenes.findIndex((other) => other.id === id);
  const at = index < 0 ? scenes.length : index + 1;
  return [...scenes.slice(0, at), scene, ...scenes.slice(at)];
}

/** Moves scenes before or behind another one. */
export function moveTo(
  scenes: readonly SceneDraft[],
  moved: ReadonlySet<unknown>,
  target: unknown,
  place: "before" | "after",
): SceneDraft[] {
  if (moved.has(target)) return [...scenes];
  const moving = scenes.filter((scene) => moved.has(scene.id));
  const staying = scenes.filter((scene) => !moved.has(scene.id));
  const index = staying.findIndex((scene) => scene.id === target);
  if (index < 0) return [...scenes];
  const at = place === "before" ? index : index + 1;
  return [...staying.slice(0, at), ...moving, ...staying.slice(at)];
}

/** Moves a scene up (-1) or down (1). */
export function moveBy(scenes: readonly SceneDraft[], id: string, by: -1 | 1): SceneDraft[] {
  const index = scenes.findIndex((scene) => scene.id === id);
  const other = scenes[index + by];
  if (index < 0 || other === undefined) return [...scenes];
  return moveTo(scenes, new Set([id]), other.id, by < 0 ? "before" : "after");
}

/** A copy with a seed of its own, so that it shows something else. */
export function copyOf(scene: SceneDraft): SceneDraft {
  return { ...scene, id: crypto.randomUUID(), seed: randomSeed(), isSeedLocked: false };
}

/** A draft from the browser's storage. What an earlier version of the page kept in another form has its default. */
export function storedDraft(stored: unknown): VideoDraft {
  const given = record(stored);
  const scenes = Array.isArray(given?.scenes) ? given.scenes.map(storedScene).filter((scene) => scene !== null) : [];
  if (given === null || scenes.length === 0) return newVideo();
  const shared = record(given.shared) ?? {};
  return { scenes, shared: storedShared(shared) };
}

function storedScene(stored: unknown): SceneDraft | null {
  const given = record(stored);
  if (given === null || typeof given.prompt !== "string") return null;
  const usual = newScene();
  return {
    id: text(given.id) ?? usual.id,
    prompt: given.prompt,
    negative: text(given.negative),
    duration: number(given.duration) ?? usual.duration,
    moves: given.moves === true,
    motion: motionFrom(given.motion),
    seed: number(given.seed) ?? usual.seed,
    isSeedLocked: given.isSeedLocked === true,
    join: text(given.join) ?? usual.join,
    joinFrames: number(given.joinFrames) ?? usual.joinFrames,
  };
}

function storedShared(given: Record<string, unknown>): SharedDraft {
  return {
    hero: text(given.hero) ?? "",
    negative: text(given.negative) ?? "",
    fps: number(given.fps) ?? text(given.fps),
    width: number(given.width),
    height: number(given.height),
    steps: number(given.steps),
    guidance: number(given.guidance),
    scheduler: text(given.scheduler),
    model: text(given.model),
    vae: text(given.vae),
    syntax: text(given.syntax),
    loras: lorasFrom(given.loras),
  };
}

/** Motion parameters by the API's names. */
export function motionFrom(given: unknown): MotionDraft {
  const fields = record(given);
  if (fields === null) return NO_MOTION;
  const entries = Object.keys(NO_MOTION).map((name) => [name, number(fields[name])]);
  return Object.fromEntries(entries) as MotionDraft;
}

/** LoRAs by the API's names: objects, or texts such as "ink:0.8". Null if there is no list. */
export function lorasFrom(given: unknown): LoraDraft[] | null {
  if (!Array.isArray(given)) return null;
  return given.flatMap((entry: unknown) => {
    if (typeof entry === "string") {
      const [name = "", weight] = entry.split(":");
      return [{ name, weight: weight === undefined ? 1 : Number(weight) }];
    }
    const fields = record(entry);
    const name = text(fields?.name);
    return name === null ? [] : [{ name, weight: number(fields?.weight) ?? 1 }];
  });
}

export function record(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

export function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
