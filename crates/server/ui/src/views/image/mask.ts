/** A point in the picture's pixels. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** One thing done to a mask. All of them in their order make the mask, so that each can be undone. */
export type MaskStep =
  | { readonly kind: "stroke"; readonly points: readonly Point[]; readonly radius: number; readonly erases: boolean }
  | {
      readonly kind: "rectangle";
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
      readonly erases: boolean;
    }
  | { readonly kind: "invert" }
  | { readonly kind: "clear" };

/** The colour that shows a mask over its picture. The exported mask is black and white. */
const SHOWN = "#ff2d6f";

type Context = CanvasRenderingContext2D;

/** Draws one step. Painted pixels are opaque, the others transparent. */
export function drawStep(context: Context, step: MaskStep) {
  const { width, height } = context.canvas;
  context.save();
  context.fillStyle = SHOWN;
  context.strokeStyle = SHOWN;
  switch (step.kind) {
    case "stroke":
      context.globalCompositeOperation = step.erases ? "destination-out" : "source-over";
      drawStroke(context, step.points, step.radius);
      break;
    case "rectangle":
      context.globalCompositeOperation = step.erases ? "destination-out" : "source-over";
      context.fillRect(step.x, step.y, step.width, step.height);
      break;
    case "invert":
      context.globalCompositeOperation = "xor";
      context.fillRect(0, 0, width, height);
      break;
    case "clear":
      context.clearRect(0, 0, width, height);
      break;
  }
  context.restore();
}

function drawStroke(context: Context, points: readonly Point[], radius: number) {
  const [first, ...others] = points;
  if (first === undefined) return;
  if (others.length === 0) {
    context.beginPath();
    context.arc(first.x, first.y, radius, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.lineWidth = 2 * radius;
  context.lineCap = "round";
  context.lineJoin = "round";
  context.beginPath();
  context.moveTo(first.x, first.y);
  for (const point of others) context.lineTo(point.x, point.y);
  context.stroke();
}

/** Draws the mask anew. */
export function drawMask(context: Context, steps: readonly MaskStep[]) {
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  for (const step of steps) drawStep(context, step);
}

/** The share of the picture that is painted, 0 to 1, from a sample of its pixels. */
export function paintedShare(context: Context): number {
  const { width, height } = context.canvas;
  const { data } = context.getImageData(0, 0, width, height);
  const stride = 4 * Math.max(1, Math.floor((width * height) / 50_000));
  let painted = 0;
  let seen = 0;
  for (let index = 3; index < data.length; index += stride) {
    seen += 1;
    if ((data[index] ?? 0) > 127) painted += 1;
  }
  return seen === 0 ? 0 : painted / seen;
}

/** The mask as requests take it: a PNG's data URL, white where it is painted and black elsewhere. */
export function exportMask(canvas: HTMLCanvasElement): string {
  const exported = document.createElement("canvas");
  exported.width = canvas.width;
  exported.height = canvas.height;
  const context = exported.getContext("2d");
  if (context === null) return "";
  context.drawImage(canvas, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, exported.width, exported.height);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "#000000";
  context.fillRect(0, 0, exported.width, exported.height);
  return exported.toDataURL("image/png");
}

/** The longest side of a painted mask. The server scales it to the picture. */
const LONGEST = 2048;

/** The size of the mask of a picture. */
export function maskSize(width: number, height: number): { width: number; height: number; scale: number } {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  return { width: Math.round(width * scale), height: Math.round(height * scale), scale };
}
