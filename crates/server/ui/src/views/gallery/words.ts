import type { Task, TaskSummary } from "../../api/types";
import { bytes, dateTime, duration } from "../../components/format";

/** A parameter in words: its name, and its value. */
export type Word = readonly [name: string, value: string];

type Request = NonNullable<Task["request"]>;

/** Fields whose names in the API are not their names for a person. */
const NAMES: Readonly<Record<string, string>> = {
  cfg_scale: "Guidance",
  guidance_scale: "Guidance",
  num_inference_steps: "Steps",
  motion_bucket_id: "Motion bucket",
  noise_aug_strength: "Noise on the picture",
  camera_motion: "Camera",
  prompt_syntax: "Prompt language",
  num_frames: "Frames",
  fps: "Frames per second",
  conditioning_fps: "Conditioning frames per second",
  loras: "LoRA",
  controlnets: "ControlNet",
  scenes: "Scene",
  vae: "VAE",
  hires: "Second pass",
  text_weight: "Text weight",
};

const ROUTES: Readonly<Record<string, string>> = {
  "/api/v1/images/generate": "Text to image",
  "/api/v1/images/generate-i2i": "Image to image",
  "/api/v1/videos/generate": "Picture to video",
  "/generate-video": "Video of scenes",
  "/animate": "Picture to video",
  "/v1/images/upscale": "Enlargement",
};

/** What shows a result in one line, and begins its accessible name. */
export function titleOf(task: Pick<TaskSummary, "prompt" | "kind">): string {
  const prompt = task.prompt?.trim() ?? "";
  if (prompt !== "") return prompt;
  return { image: "Image without a prompt", video: "Video without a prompt", upscale: "Enlarged image" }[task.kind];
}

/** The accessible name of a result: the prompt, and what tells it from others with the same one. */
export function nameOf(task: Pick<TaskSummary, "prompt" | "kind" | "seed" | "width" | "height" | "status">): string {
  const parts = [titleOf(task)];
  if (task.status !== "completed") parts.push(task.status);
  if (task.kind === "video") parts.push("video");
  if (task.seed !== null) parts.push(`seed ${task.seed}`);
  return parts.join(", ");
}

/** What was asked for, in words. Pictures, and the fields of which nothing is set, are left out. */
export function requestWords(request: Request): Word[] {
  const words: Word[] = [];
  const kind = ROUTES[request.path];
  if (kind !== undefined) words.push(["Made as", kind]);
  const { width, height, ...rest } = request.body;
  for (const [field, value] of Object.entries(rest)) words.push(...fieldWords(field, value, ""));
  if (typeof width === "number" && typeof height === "number") {
    const place = words.findIndex(([name]) => name === "Steps");
    words.splice(place < 0 ? words.length : place, 0, ["Size", `${width} × ${height}`]);
  }
  return words;
}

function fieldWords(field: string, value: unknown, prefix: string): Word[] {
  const name = prefix === "" ? nameOfField(field) : `${prefix}, ${nameOfField(field).toLowerCase()}`;
  if (value === null || value === undefined || value === "") return [];
  if (field === "loras" && Array.isArray(value)) return value.map((lora, index) => [numbered(name, index, value.length), weighted(lora)]);
  if (Array.isArray(value)) {
    if (value.every((entry) => typeof entry !== "object")) return value.length === 0 ? [] : [[name, value.map(text).join(", ")]];
    return value.flatMap((entry, index) => objectWords(entry, numbered(name, index, value.length)));
  }
  if (typeof value === "object") return objectWords(value, name);
  return [[name, field === "duration" ? `${text(value)} s` : text(value)]];
}

function objectWords(value: unknown, name: string): Word[] {
  if (typeof value !== "object" || value === null) return [[name, text(value)]];
  return Object.entries(value).flatMap(([field, inner]) => fieldWords(field, inner, name));
}

function numbered(name: string, index: number, count: number): string {
  return count === 1 && name !== "Scene" ? name : `${name} ${index + 1}`;
}

function weighted(lora: unknown): string {
  if (typeof lora !== "object" || lora === null) return text(lora);
  const { name, weight, text_weight: textWeight } = lora as Record<string, unknown>;
  const weights = [`× ${text(weight ?? 1)}`];
  if (textWeight !== undefined && textWeight !== null && textWeight !== weight) weights.push(`(text × ${text(textWeight)})`);
  return [text(name), ...weights].join(" ");
}

function nameOfField(field: string): string {
  const known = NAMES[field];
  if (known !== undefined) return known;
  const spaced = field.replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

function text(value: unknown): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return String(Number(value.toFixed(4)));
  return String(value);
}

/** What came of it, in words. */
export function resultWords(task: Task): Word[] {
  const words: Word[] = [];
  const add = (name: string, value: string | null | undefined | false) => {
    if (value) words.push([name, value]);
  };
  add("Size", task.width !== null && task.height !== null && `${task.width} × ${task.height}`);
  add("Frames", task.frames !== null && String(task.frames));
  add("Length", task.duration_seconds !== null && seconds(task.duration_seconds));
  add("Seed", task.seed !== null && String(task.seed));
  add("File", task.file !== null && `${task.file.name}, ${bytes(task.file.bytes)}`);
  add("Made", dateTime(task.completed_at ?? task.created_at));
  add("Took", task.elapsed_seconds !== null && duration(task.elapsed_seconds));
  const parts = task.result?.result.parts;
  add("Parts", parts !== null && parts !== undefined && parts.reused > 0 && `${parts.made} made, ${parts.reused} reused`);
  return words;
}

/** The length of a video: "2.4 s". */
export function seconds(value: number): string {
  return value < 60 ? `${Number(value.toFixed(1))} s` : duration(value);
}

/** All parameters of a task: those of its request, and what came of it where the request does not say so. */
export function wordsOf(task: Task): Word[] {
  const asked = task.request === null ? fallbackWords(task) : requestWords(task.request);
  const named = new Set(asked.map(([name]) => name));
  return [...asked, ...resultWords(task).filter(([name]) => !named.has(name))];
}

function fallbackWords(task: Task): Word[] {
  const words: Word[] = [];
  if (task.prompt !== null) words.push(["Prompt", task.prompt]);
  if (task.model !== null) words.push(["Model", task.model]);
  return words;
}

/** The parameters in which two tasks differ; null where one of them has none. */
export function differences(a: Task, b: Task): { name: string; values: readonly [string | null, string | null] }[] {
  const [first, second] = [new Map(wordsOf(a)), new Map(wordsOf(b))];
  const names = new Set([...first.keys(), ...second.keys()]);
  return [...names]
    .map((name) => ({ name, values: [first.get(name) ?? null, second.get(name) ?? null] as const }))
    .filter(({ values: [left, right] }) => left !== right);
}
