import type { Model } from "../../api/types";

/** The shapes that the page offers, by width : height. */
export const SHAPES = [
  { id: "square", label: "Square", ratio: 1 },
  { id: "portrait", label: "Portrait", ratio: 3 / 4 },
  { id: "tall", label: "Tall", ratio: 9 / 16 },
  { id: "landscape", label: "Landscape", ratio: 4 / 3 },
  { id: "photo", label: "Photo", ratio: 3 / 2 },
  { id: "wide", label: "Wide", ratio: 16 / 9 },
] as const;

/** "picture" is the shape of the picture to start from, "custom" a size in pixels. */
export type ShapeId = (typeof SHAPES)[number]["id"] | "picture" | "custom";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Models make sides of multiples of this many pixels. */
const MULTIPLE = 8;
/** Used until the model's own size is known. */
const USUAL: Size = { width: 512, height: 512 };

/** The model's own size. */
export function ownSize(model: Model | undefined): Size {
  return model?.width && model.height ? { width: model.width, height: model.height } : USUAL;
}

/** The size of these proportions with about as many pixels as the model's own, which it makes best. */
export function sizeOfRatio(ratio: number, model: Model | undefined): Size {
  const { width, height } = ownSize(model);
  const side = (pixels: number) => Math.max(MULTIPLE, Math.round(Math.sqrt(pixels) / MULTIPLE) * MULTIPLE);
  return { width: side(width * height * ratio), height: side((width * height) / ratio) };
}

/** A size for a person: "512 × 512". */
export function sizeText({ width, height }: Size): string {
  return `${width} × ${height}`;
}
