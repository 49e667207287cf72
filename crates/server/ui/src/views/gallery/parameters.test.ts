import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { readParameters, requestOf } from "./parameters-text";
import { pngTexts } from "./png-text";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function chunk(type: string, data: Uint8Array | string): Buffer {
  const body = Buffer.from(data as string);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, body, Buffer.alloc(4)]);
}

function png(...chunks: Buffer[]): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.from(SIGNATURE), chunk("IHDR", new Uint8Array(13)), ...chunks, chunk("IEND", "")]));
}

test("texts are read from chunks of every kind", async () => {
  const texts = await pngTexts(
    png(
      chunk("tEXt", "parameters\0a boat — über"),
      chunk("tEXt", Buffer.from("Author\0M\xfcller", "latin1")),
      chunk("zTXt", Buffer.concat([Buffer.from("Comment\0\0"), deflateSync("a comment")])),
      chunk("iTXt", "Title\0\0\0en\0Titel\0قارب"),
      chunk("iTXt", Buffer.concat([Buffer.from("Description\0\x01\0\0\0"), deflateSync("packed")])),
      chunk("tEXt", "parameters\0a second one"),
    ),
  );
  expect(Object.fromEntries(texts)).toEqual({
    parameters: "a boat — über",
    Author: "Müller",
    Comment: "a comment",
    Title: "قارب",
    Description: "packed",
  });
});

test.each([
  ["no PNG", new Uint8Array([0xff, 0xd8, 0xff])],
  ["nothing", new Uint8Array()],
  ["a chunk that claims more than there is", png().slice(0, 20)],
  ["a damaged compressed text", png(chunk("zTXt", "parameters\0\0not deflate"))],
  ["a text without a keyword", png(chunk("tEXt", "\0text"))],
  ["an unfinished iTXt", png(chunk("iTXt", "parameters\0\0\0en"))],
])("%s has no texts, and nothing fails", async (_name, bytes) => {
  expect((await pngTexts(bytes)).size).toBe(0);
});

test("a text that unpacks to far more than it is, is left out", async () => {
  const bomb = Buffer.concat([Buffer.from("parameters\0\0"), deflateSync(Buffer.alloc(20_000_000))]);
  expect((await pngTexts(png(chunk("zTXt", bomb)))).size).toBe(0);
});

const TEXT = `a boat,
at night <lora:ink:0.8>
Negative prompt: fog
rain
Steps: 4, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 42, Size: 64x72, Model: nano-sd, Lora hashes: "ink: ab, c: d", Version: framewright 0.1`;

test("the web UI's text becomes a request", () => {
  const written = readParameters(TEXT);
  expect(written.prompt).toBe("a boat,\nat night <lora:ink:0.8>");
  expect(written.negativePrompt).toBe("fog\nrain");
  expect(written.pairs.get("Lora hashes")).toBe("ink: ab, c: d");
  expect(requestOf(written, { models: ["nano-sd"], schedulers: ["euler", "dpmpp-2m-karras"] })).toEqual({
    path: "/api/v1/images/generate",
    body: {
      prompt: "a boat,\nat night",
      negative_prompt: "fog\nrain",
      steps: 4,
      cfg_scale: 7.5,
      seed: 42,
      width: 64,
      height: 72,
      scheduler: "dpmpp-2m-karras",
      model: "nano-sd",
      loras: [{ name: "ink", weight: 0.8 }],
    },
  });
});

test("a scheduler that no model names goes as it is written; a model that is not here does not", () => {
  const written = readParameters("a\nSteps: x, Sampler: Euler a, Seed: 1, Model: other");
  const names = { models: ["nano-sd"], schedulers: ["euler-ancestral"] };
  expect(requestOf(written, names).body).toEqual({ prompt: "a", scheduler: "euler-ancestral", seed: 1 });
  expect(requestOf(written, { ...names, schedulers: [] }).body.scheduler).toBe("Euler a");
});

test.each([
  ["", ""],
  ["only a prompt", "only a prompt"],
  ["time: noon, place: sea", "time: noon, place: sea"],
  ["a prompt\nwith: two, pairs: only", "a prompt\nwith: two, pairs: only"],
])("%j has a prompt and no pairs", (text, prompt) => {
  expect(readParameters(text)).toEqual({ prompt, negativePrompt: "", pairs: new Map() });
});

test("a prompt that such a text would change is taken literally", () => {
  const text = 'a boat\nSteps: 4, Seed: 1, Size: 8x8, Literal prompt: "a boat # here\\nNegative prompt: none"';
  expect(readParameters(text).prompt).toBe("a boat # here\nNegative prompt: none");
});
