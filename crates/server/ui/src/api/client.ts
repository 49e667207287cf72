import createClient from "openapi-fetch";
import { apiBase } from "./base";
import { Problem, problemOf } from "./problems";
import type { paths } from "./schema";
import { currentSession, keyRefused } from "./session";
import type { Sent } from "./types";

/** `fetch` with the key. Says so if the server is unreachable, and opens the sign-in if it asks for a key. */
export async function apiFetch(request: Request): Promise<Response> {
  const { key } = currentSession();
  try {
    if (key !== null) request.headers.set("Authorization", `Bearer ${key}`);
  } catch {
    // A letter that no header can hold, as from another keyboard layout: no server has such a key.
    keyRefused(key);
    throw new Problem(401, "The server does not know this key.");
  }
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new Problem(0, "The server can't be reached. Check that it runs, then try again.");
  }
  if (response.status === 401) keyRefused(key);
  return response;
}

/** The API, with the types of /openapi.json. */
export const client = createClient<paths>({ baseUrl: apiBase.href.replace(/\/$/, ""), fetch: apiFetch });

/**
 * The answer's body.
 *
 * @throws {Problem} if the request was not fulfilled.
 */
export async function unwrap<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<Sent<T>> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problemOf(response.status, error, response.headers.get("Retry-After"));
  return data as Sent<T>;
}
