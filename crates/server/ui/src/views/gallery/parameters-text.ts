/** A picture's parameters, as AUTOMATIC1111's web UI, this server and most others write them. */
export interface WrittenParameters {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** "Steps", "Sampler", "Seed" and others, in their order. */
  readonly pairs: ReadonlyMap<string, string>;
}

const NEGATIVE = "Negative prompt:";
/** A last line with fewer pairs belongs to the prompt. */
const FEWEST_PAIRS = 3;

/** Reads the text: a prompt, a line "Negative prompt: ...", and a line of "Key: value" pairs. */
export function readParameters(text: string): WrittenParameters {
  const lines = text.trim().split(/\r?\n/);
  let pairs = pairsOf(lines.at(-1) ?? "");
  if (pairs.size >= FEWEST_PAIRS) lines.pop();
  else pairs = new Map();
  const start = lines.findIndex((line) => line.trim().startsWith(NEGATIVE));
  const prompt = start < 0 ? lines : lines.slice(0, start);
  const negative = start < 0 ? [] : lines.slice(start).map((line) => line.trim().replace(NEGATIVE, "").trim());
  return {
    // Prompts that such a text would change are repeated literally.
    prompt: pairs.get("Literal prompt") ?? prompt.join("\n").trim(),
    negativePrompt: pairs.get("Literal negative prompt") ?? negative.join("\n").trim(),
    pairs,
  };
}

const PAIR = /\s*([\p{L}\p{N}][\p{L}\p{N} \-/_]*):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)/uy;

function pairsOf(line: string): Map<string, string> {
  const pairs = new Map<string, string>();
  PAIR.lastIndex = 0;
  for (let match = PAIR.exec(line); match !== null; match = PAIR.exec(line)) {
    const [, key = "", value = ""] = match;
    pairs.set(key.trim(), unquoted(value.trim()));
    if (PAIR.lastIndex >= line.length) return pairs;
  }
  return pairs;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}

const LORA = /<lora:([^:<>]+)(?::([-+]?[\d.]+))?(?::[^<>]*)?>/g;

/** What this server has, as far as a request names it. */
export interface KnownNames {
  readonly models: readonly string[];
  readonly schedulers: readonly string[];
}

/**
 * The request that makes such a picture again. A field that the text doesn't have, or that is no number, is left to the server; so is a model
 * that it doesn't have. Schedulers go as they are written if no model names them, because the server knows many spellings.
 */
export function requestOf(written: WrittenParameters, { models, schedulers }: KnownNames): { path: string; body: Record<string, unknown> } {
  const { pairs } = written;
  const body: Record<string, unknown> = {};
  const loras = [...written.prompt.matchAll(LORA)].map(([, name, weight]) => ({ name, weight: weight === undefined ? 1 : Number(weight) }));
  body.prompt = written.prompt.replace(LORA, "").trim();
  if (written.negativePrompt !== "") body.negative_prompt = written.negativePrompt;
  const number = (field: string, key: string) => {
    const value = pairs.get(key);
    if (value !== undefined && value !== "" && Number.isFinite(Number(value))) body[field] = Number(value);
  };
  number("steps", "Steps");
  number("cfg_scale", "CFG scale");
  number("seed", "Seed");
  number("eta", "Eta");
  const size = /^(\d+)x(\d+)$/.exec(pairs.get("Resized to") ?? pairs.get("Size") ?? "");
  if (size !== null) {
    body.width = Number(size[1]);
    body.height = Number(size[2]);
  }
  const sampler = pairs.get("Sampler");
  if (sampler !== undefined) body.scheduler = schedulerOf(sampler, pairs.get("Schedule type"), schedulers);
  const model = pairs.get("Model");
  if (model !== undefined && models.includes(model)) body.model = model;
  if (loras.length > 0) body.loras = loras;
  return { path: "/api/v1/images/generate", body };
}

/** "DPM++ 2M" and "Karras" are "dpmpp-2m-karras" here. */
function schedulerOf(sampler: string, schedule: string | undefined, known: readonly string[]): string {
  const isNamed = schedule !== undefined && !/^(automatic|normal|uniform)$/i.test(schedule);
  const written = isNamed ? `${sampler} ${schedule}` : sampler;
  const plain = (name: string) =>
    name
      .toLowerCase()
      .replaceAll("++", "pp")
      .replace(/\beuler a\b/, "euler ancestral")
      .replace(/[^a-z0-9]/g, "");
  return known.find((name) => plain(name) === plain(written)) ?? written;
}
