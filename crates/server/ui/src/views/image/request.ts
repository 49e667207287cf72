import type { MakingPath } from "../../api/queries";
import type { Model } from "../../api/types";
import type { GivenImage } from "../../components";
import type { MaskStep } from "./mask";
import type { ImageSettings } from "./settings";
import { SHAPES, type Size, sizeOfRatio } from "./shapes";

export interface ControlSetting {
  /** Tells entries of the list apart; the request does not have it. */
  readonly id: number;
  readonly name: string;
  readonly image: GivenImage | null;
  readonly weight: number;
  readonly start: number;
  readonly end: number;
  readonly preprocessor: string;
}

/** What is to be repainted of the picture to start from. */
export interface PaintedMask {
  /** A data URL of a PNG: white is repainted. */
  readonly dataUrl: string;
  /** How it was painted, so that painting can go on. */
  readonly steps: readonly MaskStep[];
}

/** The pictures that a request starts from or follows. */
export interface GivenPictures {
  readonly start: GivenImage | null;
  readonly mask: PaintedMask | null;
  readonly controls: readonly ControlSetting[];
}

export const NO_PICTURES: GivenPictures = { start: null, mask: null, controls: [] };

/** The size that the model makes, before a second pass enlarges it. */
export function firstSize(settings: ImageSettings, start: GivenImage | null, model: Model | undefined): Size {
  if (settings.shape === "custom") return { width: settings.width, height: settings.height };
  if (settings.shape === "picture") return sizeOfRatio(start === null ? 1 : start.width / start.height, model);
  return sizeOfRatio(SHAPES.find(({ id }) => id === settings.shape)?.ratio ?? 1, model);
}

/** Whether the second pass acts: it doesn't go with a picture to start from, or with a refiner. */
export function hiresActs(settings: ImageSettings, pictures: GivenPictures): boolean {
  return settings.hires && pictures.start === null && settings.refiner === null;
}

/** The size of the result. */
export function resultSize(settings: ImageSettings, pictures: GivenPictures, model: Model | undefined, usualScale: number): Size {
  const { width, height } = firstSize(settings, pictures.start, model);
  const scale = hiresActs(settings, pictures) ? (settings.hiresScale ?? usualScale) : 1;
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/** The request of one image. Fields that the person left to the model are absent. */
export function requestOf(
  settings: ImageSettings,
  pictures: GivenPictures,
  size: Size,
  seed: number,
): { path: MakingPath; body: Record<string, unknown> } {
  const { start, mask, controls } = pictures;
  const body: Record<string, unknown> = {
    prompt: settings.prompt,
    negative_prompt: settings.negative.trim() === "" ? null : settings.negative,
    model: settings.model,
    width: size.width,
    height: size.height,
    steps: settings.steps,
    cfg_scale: settings.guidance,
    scheduler: settings.scheduler,
    vae: settings.vae,
    prompt_syntax: settings.syntax,
    seed,
    loras: settings.loras,
    refiner: settings.refiner,
    refiner_switch: settings.refiner === null ? null : settings.refinerSwitch,
    hires: hiresActs(settings, pictures)
      ? present({
          scale: settings.hiresScale,
          strength: settings.hiresStrength,
          upscaler: settings.hiresUpscaler,
          steps: settings.hiresSteps,
        })
      : null,
    controlnets:
      controls.length === 0 ? null : controls.map(({ id: _, image, ...control }) => present({ ...control, image: image?.dataUrl ?? null })),
    guess_mode: controls.length > 0 && settings.guessMode ? true : null,
  };
  if (start === null) return { path: "/api/v1/images/generate", body: present(body) };
  const masked =
    mask === null
      ? {}
      : {
          mask: mask.dataUrl,
          mask_blur: settings.maskBlur,
          mask_fill: settings.maskFill,
          mask_only: settings.maskOnly || null,
          mask_padding: settings.maskOnly ? settings.maskPadding : null,
        };
  return {
    path: "/api/v1/images/generate-i2i",
    body: present({ ...body, image: start.dataUrl, strength: settings.strength, ...masked }),
  };
}

function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
}
