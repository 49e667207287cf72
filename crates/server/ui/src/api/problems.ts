/** The faults of a request's fields: the field's place ("steps", "loras.0.weight"), and the server's sentence about it. */
export type FieldErrors = ReadonlyMap<string, string>;

export const NO_ERRORS: FieldErrors = new Map();

/** A request that was not fulfilled, in the server's words. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    /** The status of the answer; 0 if there was none. */
    readonly status: number,
    message: string,
    readonly fields: FieldErrors = NO_ERRORS,
    /** After how many seconds another attempt may succeed. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

interface Detail {
  loc?: unknown;
  msg?: unknown;
}

/** Reads an error's body: FastAPI's `detail`, a sentence or a list of faults. */
export function problemOf(status: number, body: unknown, retryAfter: string | null = null): Problem {
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter);
  const wait = Number.isFinite(seconds) ? seconds : null;
  const detail = typeof body === "object" && body !== null ? (body as { detail?: unknown }).detail : undefined;
  if (typeof detail === "string") return new Problem(status, detail, NO_ERRORS, wait);
  if (!Array.isArray(detail)) return new Problem(status, `The server answered with status ${status}.`, NO_ERRORS, wait);
  const fields = new Map<string, string>();
  for (const fault of detail as Detail[]) {
    // The first step of the place is "body", "query" or "header".
    const field = Array.isArray(fault.loc) ? fault.loc.slice(1).join(".") : "";
    const sentence = String(fault.msg ?? "Invalid").replace(/^Value error, /, "");
    const earlier = fields.get(field);
    fields.set(field, earlier === undefined ? sentence : `${earlier} ${sentence}`);
  }
  const message = [...fields].map(([field, sentence]) => (field === "" ? sentence : `${field}: ${sentence}`)).join(" ");
  return new Problem(status, message, fields, wait);
}

/** What to tell a person about anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Problem) return error.message;
  if (error instanceof Error) return error.message;
  return String(error);
}

/** The faults that none of `shown` shows beside its field, as one text; null if there are none. */
export function otherErrors(error: unknown, shown: (field: string) => boolean): string | null {
  if (error === null || error === undefined) return null;
  if (!(error instanceof Problem) || error.fields.size === 0) return messageOf(error);
  const others = [...error.fields].filter(([field]) => !shown(field));
  return others.length === 0 ? null : others.map(([field, sentence]) => (field === "" ? sentence : `${field}: ${sentence}`)).join(" ");
}
