import type { Fact } from "./limits";

/** Stands in for the generated file until openapi.json is here. */
export const FACTS: Readonly<Record<string, Readonly<Record<string, Fact>>>> = {
  PictureTaskRequest: {
    prompt: { maxLength: 10_000 },
    steps: { minimum: 1, maximum: 150 },
    cfg_scale: { minimum: 0, maximum: 50, default: 7.5 },
    width: { minimum: 64, maximum: 4096 },
    height: { minimum: 64, maximum: 4096 },
    seed: { minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    controlnets: { maxItems: 4 },
  },
};
