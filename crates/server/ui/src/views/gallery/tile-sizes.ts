/** How large tiles are. */
export type TileSize = "small" | "medium" | "large";

/** The space between tiles in pixels; grid.css has the same. */
export const GAP = 8;

/** The width of a tile in pixels, about; and how many a narrow screen has side by side at least. */
const SIZES: Readonly<Record<TileSize, { width: number; atLeast: number }>> = {
  small: { width: 128, atLeast: 3 },
  medium: { width: 208, atLeast: 2 },
  large: { width: 340, atLeast: 1 },
};

export function isTileSize(value: unknown): value is TileSize {
  return typeof value === "string" && Object.hasOwn(SIZES, value);
}

/** How many tiles stand side by side; 0 while the width is unknown. */
export function columnsFor(width: number, size: TileSize): number {
  if (width <= 0) return 0;
  const { width: wanted, atLeast } = SIZES[size];
  return Math.max(Math.round((width + GAP) / (wanted + GAP)), atLeast);
}
