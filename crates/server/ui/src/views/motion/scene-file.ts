import type { Model } from "../../api/types";
import {
  lorasFrom,
  type MotionDraft,
  motionFrom,
  NO_MOTION,
  NOTHING_SHARED,
  newScene,
  number,
  randomSeed,
  record,
  type SceneDraft,
  text,
  type VideoDraft,
} from "./scene-draft";

/** The body of `POST /generate-video`, which is also the file that `framewright video --scenes` reads. */
export type ScenesBody = Record<string, unknown> & { scenes: Record<string, unknown>[] };

/**
 * The request of a draft. Sizes that the person left open are those of `model`, because the server's own default would stretch its pictures.
 */
export function bodyOf({ scenes, shared }: VideoDraft, model?: Model): ScenesBody {
  const own = model?.width && model.height ? { width: model.width, height: model.height } : { width: null, height: null };
  return {
    ...present({
      hero_description: filled(shared.hero),
      negative_prompt: filled(shared.negative),
      fps: shared.fps,
      width: shared.width ?? own.width,
      height: shared.height ?? own.height,
      num_inference_steps: shared.steps,
      guidance_scale: shared.guidance,
      scheduler: shared.scheduler,
      model: shared.model,
      vae: shared.vae,
      prompt_syntax: shared.syntax,
      loras: shared.loras,
      // Each scene has its own. Without this one the server would draw another for each request.
      seed: scenes[0]?.seed,
    }),
    scenes: scenes.map(sceneOf),
  };
}

function sceneOf(scene: SceneDraft): Record<string, unknown> {
  return present({
    prompt: scene.prompt,
    negative_prompt: scene.negative,
    duration: scene.duration,
    seed: scene.seed,
    source: scene.moves ? "moving" : "still",
    motion: scene.moves ? present({ ...scene.motion }) : null,
    join: scene.join,
    transition_frames: scene.joinFrames,
  });
}

/** The same request for `POST /generate-video/info`, which answers a timeline while prompts are still to be written. */
export function bodyForInfo(body: ScenesBody): ScenesBody {
  return { ...body, scenes: body.scenes.map((scene) => (filled(text(scene.prompt) ?? "") === null ? { ...scene, prompt: "…" } : scene)) };
}

/** The file's text. */
export function fileOf(draft: VideoDraft, model?: Model): string {
  return `${JSON.stringify(bodyOf(draft, model), null, 2)}\n`;
}

/**
 * Reads a file of scenes.
 *
 * @throws {Error} with a sentence for a person, if it is none.
 */
export function draftOfFile(content: string): VideoDraft {
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch {
    throw new Error('The file is not JSON. A file of scenes looks like {"scenes": ["a harbour at dawn", "the same harbour at night"]}.');
  }
  return draftOfBody(parsed);
}

/**
 * The draft of a request. What scenes inherit becomes their own, seeds too, so that changing one leaves the others as they are.
 *
 * @throws {Error} with a sentence for a person, if it has no scenes.
 */
export function draftOfBody(parsed: unknown): VideoDraft {
  const body = record(parsed);
  if (body === null || !Array.isArray(body.scenes)) {
    throw new Error('The file has no list "scenes". Choose one that this page or "framewright video" can read.');
  }
  if (body.scenes.length === 0) throw new Error('"scenes" is empty. Choose a file with at least two scenes.');
  const firstSeed = seedOf(body.seed);
  const inherited = {
    ...newScene(),
    moves: false,
    ...withoutNull({
      duration: number(body.duration_per_scene),
      join: text(body.join),
      joinFrames: number(body.transition_frames),
    }),
  };
  const motion = motionFrom(body.motion);
  const scenes = body.scenes.map((scene: unknown, index) => sceneFrom(scene, index, inherited, motion, firstSeed));
  return {
    scenes,
    shared: {
      ...NOTHING_SHARED,
      hero: text(body.hero_description) ?? "",
      negative: text(body.negative_prompt) ?? "",
      fps: number(body.fps) ?? text(body.fps),
      width: number(body.width),
      height: number(body.height),
      steps: number(body.num_inference_steps),
      guidance: number(body.guidance_scale),
      scheduler: text(body.scheduler),
      model: text(body.model),
      vae: text(body.vae),
      syntax: text(body.prompt_syntax),
      loras: lorasFrom(body.loras),
    },
  };
}

function sceneFrom(given: unknown, index: number, inherited: SceneDraft, motion: MotionDraft, firstSeed: number | null): SceneDraft {
  const seed = firstSeed === null ? randomSeed() : firstSeed + index;
  const fresh = { ...inherited, id: crypto.randomUUID(), seed };
  if (typeof given === "string") return { ...fresh, prompt: given };
  const scene = record(given);
  const prompt = text(scene?.prompt);
  if (scene === null || prompt === null)
    throw new Error(`Scene ${index + 1} has no prompt: it must be a text, or an object with "prompt".`);
  const ownMotion = record(scene.motion);
  const moves = scene.source === "moving" || (scene.source !== "still" && ownMotion !== null);
  return {
    ...fresh,
    prompt,
    negative: text(scene.negative_prompt),
    moves,
    motion: ownMotion === null ? (moves ? motion : NO_MOTION) : motionFrom(ownMotion),
    ...withoutNull({
      duration: number(scene.duration),
      seed: scene.seed === -1 ? randomSeed() : seedOf(scene.seed),
      join: text(scene.join),
      joinFrames: number(scene.transition_frames),
    }),
  };
}

/** A concrete seed; -1 stands for one that is drawn. */
function seedOf(value: unknown): number | null {
  const seed = number(value);
  return seed === null || seed < 0 ? null : seed;
}

function filled(value: string): string | null {
  return value.trim() === "" ? null : value;
}

function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
}

type Present<T> = { [Key in keyof T]?: NonNullable<T[Key]> };

function withoutNull<T extends Record<string, unknown>>(fields: T): Present<T> {
  return present(fields) as Present<T>;
}
