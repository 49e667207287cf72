import type { FieldErrors } from "../../api/problems";
import type { Model, Models } from "../../api/types";
import type { GivenPictures } from "./request";
import type { ImageSettings } from "./settings";

/** What each part of the form gets. */
export interface PanelProps {
  readonly settings: ImageSettings;
  readonly set: (change: Partial<ImageSettings>) => void;
  readonly pictures: GivenPictures;
  readonly setPictures: (change: Partial<GivenPictures>) => void;
  /** The chosen model; undefined until the server answered. */
  readonly model: Model | undefined;
  readonly models: Models | undefined;
  readonly errors: FieldErrors;
}

/** The schema of the request with a picture; it has the fields of the one without. */
export const SCHEMA = "PictureFromPictureRequest";

/** The faults of fields that begin with one of `names`. */
export function hasError(errors: FieldErrors, ...names: string[]): boolean {
  return [...errors.keys()].some((field) => names.some((name) => field === name || field.startsWith(`${name}.`)));
}

/** The sentence about a field, or about what is inside it. */
export function errorWithin(errors: FieldErrors, name: string): string | null {
  const found = [...errors].filter(([field]) => field === name || field.startsWith(`${name}.`));
  return found.length === 0 ? null : found.map(([, sentence]) => sentence).join(" ");
}
