// The package openai of npm against this server's image routes: node openai_images.mjs URL.
import assert from "node:assert/strict";

import OpenAI, { toFile } from "openai";
import { VERSION } from "openai/version";

import { losingProxy } from "./losing_proxy.mjs";

const url = process.argv[2].replace(/\/$/, "");
const client = (base = url, options = {}) => new OpenAI({ baseURL: `${base}/v1`, apiKey: "none", ...options });
const bytes = (data) => Buffer.from(data.b64_json, "base64");
const isPng = (file) => file.subarray(1, 4).toString() === "PNG";
const collect = async (stream) => {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
};
const jobs = async () => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const counts = text.split("\n").filter((line) => line.startsWith("framewright_jobs_total"));
  return counts.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
};

let made;
const checks = {
  async generate() {
    const answer = await client().images.generate({ prompt: "a boat", n: 2, size: "128x96", seed: 4, steps: 4 });
    assert.equal(answer.data.length, 2);
    assert.ok(answer.data.every((data) => isPng(bytes(data)) && !("url" in data)));
    assert.deepEqual(answer.data.map((data) => data.seed), [4, 5]);
    made = bytes(answer.data[0]);
    const byUrl = await client().images.generate({ prompt: "a boat", response_format: "url", steps: 2 });
    assert.ok(isPng(Buffer.from(await (await fetch(byUrl.data[0].url)).arrayBuffer())));
  },
  async stream() {
    const events = await collect(
      await client().images.generate({ prompt: "a boat", stream: true, partial_images: 1, size: "256x256", steps: 100 }),
    );
    assert.deepEqual(events.map((event) => event.type), ["image_generation.partial_image", "image_generation.completed"]);
  },
  async editAndVary() {
    const file = () => toFile(made, "boat.png", { type: "image/png" });
    const edited = await client().images.edit({ image: await file(), prompt: "a moon", steps: 4 });
    assert.ok(isPng(bytes(edited.data[0])) && edited.size === "128x96");
    const listed = await client().images.edit({ image: [await file()], prompt: "a moon", steps: 4, loras: [] });
    assert.equal(listed.data.length, 1);
    const varied = await client().images.createVariation({ image: await file(), n: 2 });
    assert.equal(varied.data.length, 2);
    const events = await collect(await client().images.edit({ image: await file(), prompt: "a moon", steps: 2, stream: true }));
    assert.equal(events.at(-1).type, "image_edit.completed");
  },
  async models() {
    const names = await collect(client().models.list());
    assert.ok(names.length > 0);
    assert.equal((await client().models.retrieve(names[0].id)).id, names[0].id);
    const answer = await client().images.generate({ prompt: "a boat", model: "dall-e-3", steps: 2 });
    assert.ok(answer.remarks[0].includes("dall-e-3"));
  },
  async errors() {
    const refused = async (call, kind, param) => {
      const error = await call().then(() => assert.fail("no error"), (error) => error);
      assert.ok(error instanceof kind, String(error));
      assert.equal(error.param, param);
      assert.ok(error.message.includes(param), error.message);
    };
    await refused(() => client().images.generate({ prompt: "a", n: 11 }), OpenAI.BadRequestError, "n");
    await refused(() => client().images.generate({ prompt: "a", size: "x", stream: true }), OpenAI.BadRequestError, "size");
    const unknown = await client().images.generate({ prompt: "a", model: "flux" }).then(() => null, (error) => error);
    assert.ok(unknown instanceof OpenAI.NotFoundError && unknown.code === "model_not_found", String(unknown));
  },
  async lostAnswersMakeOneJob() {
    const proxy = await losingProxy(url);
    const before = await jobs();
    const answer = await client(proxy.url).images.generate({ prompt: "a boat", steps: 4 });
    assert.ok(isPng(bytes(answer.data[0])));
    assert.equal(await jobs(), before + 1);
    proxy.close();
  },
};
for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`openai ${VERSION} (npm) ${name}: ok`);
}
process.exit(0);
