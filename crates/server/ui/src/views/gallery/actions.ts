import { apiBase, localUrl } from "../../api/base";
import { apiFetch, client, unwrap } from "../../api/client";
import { messageOf, problemOf } from "../../api/problems";
import type { Task, TaskSummary } from "../../api/types";
import { type Handoff, handOver } from "../../app/handoff";
import { confirm, toast } from "../../components";
import type { ResultList } from "./result-list";
import { titleOf } from "./words";

/** Requests that delete, at the same time. */
const AT_ONCE = 4;

/** Opens the view that makes such a request, with its fields filled in. */
export function useAgain(request: NonNullable<Handoff["request"]>) {
  handOver(isVideoPath(request.path) ? "motion" : "image", { request });
}

/** Whether a view of this page makes such requests. */
export function canBeUsedAgain(request: Task["request"]): request is NonNullable<Task["request"]> {
  return request !== null && (request.path.startsWith("/api/v1/images/generate") || isVideoPath(request.path));
}

function isVideoPath(path: string): boolean {
  return path === "/generate-video" || path === "/animate" || path === "/api/v1/videos/generate";
}

export interface ResultFile {
  readonly name: string;
  readonly url: string;
}

/** Opens the image view with the picture to start from. */
export function startFrom(file: ResultFile) {
  handOver("image", { pictures: [{ role: "image", url: file.url, name: file.name }] });
}

/** Opens the motion view with the picture. */
export function animate(file: ResultFile) {
  handOver("motion", { pictures: [{ role: "image", url: file.url, name: file.name }] });
}

/** Saves something under a name, as a link with `download` does. */
function save(url: string, name: string) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.rel = "noopener";
  document.body.append(link);
  link.click();
  link.remove();
}

export function download(file: ResultFile) {
  save(localUrl(file.url), file.name);
}

/**
 * Saves the files of results as one ZIP. It is read with `fetch`, because a link can't send a key, and because a refusal has words.
 *
 * @throws {Problem} if the server refuses it.
 */
export async function downloadBundle(ids: readonly string[]) {
  const url = new URL("api/v1/bundle", apiBase);
  url.searchParams.set("ids", ids.join(","));
  const response = await apiFetch(new Request(url));
  if (!response.ok) throw problemOf(response.status, await response.json().catch(() => null), response.headers.get("Retry-After"));
  const name = /filename="?([^";]+)"?/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "framewright.zip";
  const blob = URL.createObjectURL(await response.blob());
  save(blob, name);
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(blob), 60_000);
}

/** Copies a text, also where the page was opened without HTTPS and the clipboard's own interface is missing. */
export async function copy(text: string, what: string) {
  const isCopied = await navigator.clipboard?.writeText(text).then(
    () => true,
    () => false,
  );
  if (isCopied === true || copiedBySelection(text)) toast(`${what} copied.`);
  else toast(`The browser doesn't let this page copy. Select the text instead.`, { tone: "error" });
}

function copiedBySelection(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  // Inside an open dialog, because the focus can't leave it.
  (document.querySelector('[role="dialog"]') ?? document.body).append(field);
  const before = document.activeElement;
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return isCopied;
}

/** Asks whether to delete; honest about what is lost. */
export function confirmDelete(tasks: readonly Pick<TaskSummary, "prompt" | "kind">[]): Promise<boolean> {
  const [first] = tasks;
  const isOne = tasks.length === 1 && first !== undefined;
  return confirm({
    title: isOne ? "Delete this result?" : `Delete ${tasks.length} results?`,
    text: isOne
      ? `"${shortened(titleOf(first))}": its files and its parameters are removed from the server. This can't be undone.`
      : "Their files and their parameters are removed from the server. This can't be undone.",
    action: isOne ? "Delete" : `Delete ${tasks.length}`,
    isDanger: true,
  });
}

function shortened(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120).trimEnd()}…` : text;
}

/** Deletes results: they leave the list at once, and those that could not be deleted come back. */
export async function deleteResults(list: ResultList, ids: readonly string[]) {
  list.hide(ids);
  const waiting = [...ids];
  const failed: string[] = [];
  let fault: unknown = null;
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await forget(id);
        list.forget([id]);
      } catch (error) {
        failed.push(id);
        fault = error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failed.length === 0) {
    toast(ids.length === 1 ? "Deleted." : `${ids.length} results deleted.`);
    return;
  }
  list.restore(failed);
  const what = failed.length === 1 ? "One result could not be deleted" : `${failed.length} results could not be deleted`;
  toast(`${what}: ${messageOf(fault)}`, { tone: "error" });
}

async function forget(id: string) {
  try {
    await unwrap(client.DELETE("/api/v1/tasks/{id}", { params: { path: { id }, query: { forget: true } } }));
  } catch (error) {
    // It is gone already, which is what was wanted.
    if (!(error instanceof Error && "status" in error && error.status === 404)) throw error;
  }
}
