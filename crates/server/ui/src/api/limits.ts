import { FACTS } from "./facts";

/** What /openapi.json says of a field. */
export interface Fact {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: string | number | boolean;
  readonly values?: readonly string[];
  readonly maxItems?: number;
  readonly maxLength?: number;
}

/** The facts of a request's field: `fact("PictureTaskRequest", "steps").maximum`. Empty if the field has none. */
export function fact(schema: string, field: string): Fact {
  return FACTS[schema]?.[field] ?? {};
}

/** The bounds of a number. They are wide where the server states none; it has the last word. */
export function bounds(schema: string, field: string): { minValue: number; maxValue: number } {
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = fact(schema, field);
  return { minValue: minimum, maxValue: maximum };
}
