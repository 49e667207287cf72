import { type FieldErrors, messageOf, NO_ERRORS, Problem } from "../../api/problems";

/** The faults of a request that still stand: those of fields that have not been changed since. */
export function standingErrors(error: unknown, sent: unknown, now: unknown): FieldErrors {
  if (!(error instanceof Problem)) return NO_ERRORS;
  return new Map([...error.fields].filter(([field]) => JSON.stringify(at(sent, field)) === JSON.stringify(at(now, field))));
}

function at(value: unknown, path: string): unknown {
  let found: unknown = value;
  for (const step of path.split(".")) {
    found = typeof found === "object" && found !== null ? (found as Record<string, unknown>)[step] : undefined;
  }
  return found;
}

/** The faults below a place, named from there: "scenes.1" turns "scenes.1.prompt" into "prompt". */
export function errorsWithin(errors: FieldErrors, place: string): FieldErrors {
  const start = `${place}.`;
  return new Map(
    [...errors].filter(([field]) => field.startsWith(start)).map(([field, sentence]) => [field.slice(start.length), sentence]),
  );
}

/** The numbers of the scenes that have faults, from 0. */
export function faultyScenes(errors: FieldErrors): number[] {
  const scenes = [...errors.keys()].map((field) => /^scenes\.(\d+)/.exec(field)?.[1]).filter((scene) => scene !== undefined);
  return [...new Set(scenes.map(Number))].sort((one, other) => one - other);
}

/** "Scene 2", "Scenes 1 and 3", "Scenes 1, 2 and 4". */
export function namesOfScenes(scenes: readonly number[]): string {
  const numbers = scenes.map((scene) => String(scene + 1));
  const last = numbers.pop() ?? "";
  return numbers.length === 0 ? `Scene ${last}` : `Scenes ${numbers.join(", ")} and ${last}`;
}

/** The faults that stand beside no field, and errors that are of no field, as one text. */
export function remainingErrors(errors: FieldErrors, causes: readonly unknown[], isShown: (field: string) => boolean): string {
  const ofFields = [...errors].filter(([field]) => !isShown(field)).map(([field, sentence]) => `${field}: ${sentence}`);
  const others = causes.filter((cause) => cause !== null && cause !== undefined && !(cause instanceof Problem && cause.fields.size > 0));
  return [...ofFields, ...others.map(messageOf)].join(" ");
}

export function fieldsOf(error: unknown): FieldErrors {
  return error instanceof Problem ? error.fields : NO_ERRORS;
}

/** Puts the focus into the first field with a fault, once the fields show them. */
export function focusFault() {
  setTimeout(() => document.querySelector<HTMLElement>('.motion [aria-invalid="true"]')?.focus(), 100);
}
