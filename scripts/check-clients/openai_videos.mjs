// The package openai of npm against this server's video routes: node openai_videos.mjs URL.
import assert from "node:assert/strict";

import OpenAI, { toFile } from "openai";
import { VERSION } from "openai/version";

import { losingProxy } from "./losing_proxy.mjs";

const url = process.argv[2].replace(/\/$/, "");
const videosOf = (base = url, options = {}) => new OpenAI({ baseURL: `${base}/v1`, apiKey: "none", ...options }).videos;
const videos = videosOf();
const quick = { fps: 8, num_inference_steps: 2 };
const list = async (query = {}) => {
  const found = [];
  for await (const video of videos.list(query)) found.push(video);
  return found;
};
const createAndPoll = async (body) => {
  let video = await videos.create({ ...quick, ...body });
  while (["queued", "in_progress"].includes(video.status)) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    video = await videos.retrieve(video.id);
  }
  assert.equal(video.status, "completed", JSON.stringify(video));
  return video;
};

let made;
const checks = {
  async createAndPoll() {
    made = await createAndPoll({ prompt: "a boat on the sea", model: "sora-2", seconds: "1", size: "128x96" });
    assert.deepEqual([made.object, made.seconds, made.size, made.progress, made.prompt], ["video", "1", "128x96", 100, "a boat on the sea"]);
    assert.ok(made.remarks[0].includes("sora-2"));
  },
  async downloadContent() {
    for (const [variant, type, start] of [
      [undefined, "video/mp4", "ftyp"],
      ["video", "video/mp4", "ftyp"],
      ["thumbnail", "image/webp", "WEBP"],
      ["spritesheet", "image/jpeg", "JFIF"],
    ]) {
      const answer = await videos.downloadContent(made.id, variant ? { variant } : {});
      assert.equal(answer.headers.get("content-type"), type);
      const file = Buffer.from(await answer.arrayBuffer());
      assert.ok(file.subarray(0, 12).includes(start), file.subarray(0, 12).toString("latin1"));
      if (variant === "thumbnail") made.thumbnail = file;
    }
  },
  async createFromAPicture() {
    const reference = await toFile(made.thumbnail, "boat.webp", { type: "image/webp" });
    const video = await createAndPoll({ prompt: "a boat", seconds: "1", size: "96x64", input_reference: reference });
    assert.equal(video.size, "96x64");
  },
  async listWithPaging() {
    for (let number = 0; number < 3; number += 1) await createAndPoll({ prompt: `boat ${number}`, seconds: "1", size: "64x64" });
    const ids = (await list({ limit: 2 })).map((video) => video.id);
    assert.ok(ids.length >= 5 && new Set(ids).size === ids.length && ids.includes(made.id));
    assert.deepEqual((await list({ limit: 2, order: "asc" })).map((video) => video.id), ids.reverse());
  },
  async remixAndDelete() {
    const remixed = await videos.remix(made.id, { prompt: "the same at night" });
    assert.deepEqual([remixed.remixed_from_video_id, remixed.prompt], [made.id, "the same at night"]);
    assert.deepEqual(await videos.delete(remixed.id), { id: remixed.id, object: "video.deleted", deleted: true });
    const gone = await videos.retrieve(remixed.id).then(() => null, (error) => error);
    assert.ok(gone instanceof OpenAI.NotFoundError && gone.message.includes(remixed.id), String(gone));
  },
  async errors() {
    const refused = async (call, kind, param, reason) => {
      const error = await call().then(() => assert.fail("no error"), (error) => error);
      assert.ok(error instanceof kind && error.message.includes(reason), String(error));
      assert.equal(error.param, param);
    };
    await refused(() => videos.create({ prompt: "a", seconds: "99" }), OpenAI.BadRequestError, "seconds", "20");
    await refused(() => videos.create({ prompt: "a", size: "big" }), OpenAI.BadRequestError, "size", "WIDTHxHEIGHT");
    await refused(() => videos.create({ prompt: "a", model: "sora" }), OpenAI.NotFoundError, "model", "local");
    await refused(() => videos.downloadContent(made.id, { variant: "gif" }), OpenAI.BadRequestError, "variant", "'spritesheet'");
    await refused(() => videos.list({ limit: 1000 }), OpenAI.BadRequestError, "limit", "100");
  },
  async lostAnswersMakeOneVideo() {
    const proxy = await losingProxy(url);
    const before = (await list()).length;
    const video = await videosOf(proxy.url).create({ prompt: "lost", seconds: "1", size: "64x64", ...quick });
    assert.equal((await list()).length, before + 1);
    assert.ok((await videosOf(proxy.url).delete(video.id)).deleted);
    proxy.close();
  },
};
for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`openai ${VERSION} (npm) ${name}: ok`);
}
process.exit(0);
