import type { Choice } from "../../components";

// Words for the names of the schema. A name that is not here is shown as it is.

const JOINS: Record<string, { label: string; note: string }> = {
  cut: { label: "Cut", note: "At once" },
  crossfade: { label: "Crossfade", note: "One fades into the other" },
  slerp: { label: "Pictures in between", note: "One turns into the other, picture by picture; still scenes only" },
};

const CAMERAS: Record<string, { label: string; note: string }> = {
  static: { label: "Still", note: "The camera does not move" },
  pan: { label: "Pan", note: "To the right" },
  tilt: { label: "Tilt", note: "Upwards" },
  zoom: { label: "Zoom", note: "In to the middle" },
};

export function joinName(join: string): string {
  return JOINS[join]?.label ?? join;
}

export function joinChoices(names: readonly string[]): Choice[] {
  return names.map((value) => ({ value, label: value, ...JOINS[value] }));
}

export function cameraChoices(names: readonly string[]): Choice[] {
  return names.map((value) => ({ value, label: value, ...CAMERAS[value] }));
}
