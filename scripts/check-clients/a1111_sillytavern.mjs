// The requests of SillyTavern's server for its source "auto" (src/endpoints/stable-diffusion.js) against this one:
// node a1111_sillytavern.mjs URL. SillyTavern replaces the path of its address, so the routes are at the root of the host.
import assert from "node:assert/strict";

const secret = { url: process.argv[2], auth: "me:secret-of-sillytavern" };
// Without keys a server takes any password.
const authorization = `Basic ${Buffer.from(secret.auth).toString("base64")}`;

function address(path) {
  return new URL(path, secret.url);
}

async function ask(path, init = {}) {
  const answer = await fetch(address(path), { ...init, headers: { ...init.headers, Authorization: authorization } });
  assert.ok(answer.ok, `${path}: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
  return answer.json();
}

function post(path, body) {
  return ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

// /ping, /upscalers, /vaes, /samplers, /schedulers, /models, /get-model.
await ask("/sdapi/v1/options");
const upscalers = (await ask("/sdapi/v1/upscalers")).map((upscaler) => upscaler.name);
const latent = (await ask("/sdapi/v1/latent-upscale-modes")).map((upscaler) => upscaler.name);
upscalers.splice(1, 0, ...latent);
const vaes = (await ask("/sdapi/v1/sd-vae")).map((vae) => vae.model_name);
const samplers = (await ask("/sdapi/v1/samplers")).map((sampler) => sampler.name);
const schedulers = (await ask("/sdapi/v1/schedulers")).map((scheduler) => scheduler.name);
const models = (await ask("/sdapi/v1/sd-models")).map((model) => ({ value: model.title, text: model.title }));
const options = await ask("/sdapi/v1/options");
assert.ok([upscalers, vaes, samplers, schedulers].flat().every((name) => typeof name === "string" && name));
assert.ok(models.some((model) => model.value === options.sd_model_checkpoint) && !("forge_preset" in options));
console.log("ok   SillyTavern lists");

// /set-model.
await post("/sdapi/v1/options", { sd_model_checkpoint: models[0].value });
let isIdle = false;
for (let attempt = 0; attempt < 10 && !isIdle; attempt++) {
  const progress = await ask("/sdapi/v1/progress");
  isIdle = progress.progress === 0.0 && progress.state.job_count === 0;
  if (!isIdle) await new Promise((done) => setTimeout(done, 200));
}
assert.ok(isIdle);
console.log("ok   SillyTavern set-model");

// /generate: first the options, then the picture.
function payload(changes) {
  return {
    ...secret, prompt: "best quality, a boat", negative_prompt: "low quality", sampler_name: samplers[0], scheduler: schedulers[0], steps: 4,
    cfg_scale: 7, width: 64, height: 64, restore_faces: false, enable_hr: false, hr_upscaler: upscalers[1], hr_scale: 1.5,
    hr_additional_modules: [], denoising_strength: 0.7, hr_second_pass_steps: 0, seed: 5,
    override_settings: { CLIP_stop_at_last_layers: 1, sd_vae: vaes[0], forge_additional_modules: [] }, override_settings_restore_afterwards: true,
    clip_skip: 1, save_images: true, send_images: true, do_not_save_grid: false, do_not_save_samples: false, ...changes,
  };
}
await ask("/sdapi/v1/options");
for (const upscaler of upscalers) {
  const made = await post("/sdapi/v1/txt2img", payload({ enable_hr: true, hr_upscaler: upscaler }));
  const file = Buffer.from(made.images[0], "base64");
  assert.deepEqual([file.toString("latin1", 1, 4), file.readUInt32BE(16), file.readUInt32BE(20)], ["PNG", 96, 96], upscaler);
  assert.ok(!JSON.stringify(made).includes("secret-of-sillytavern"));
}
for (const sampler of samplers) await post("/sdapi/v1/txt2img", payload({ sampler_name: sampler, scheduler: "automatic" }));
console.log(`ok   SillyTavern generate (${upscalers.length} upscalers, ${samplers.length} samplers)`);

// The user cancels: the connection is closed, and interrupt sent.
const controller = new AbortController();
const cancelled = fetch(address("/sdapi/v1/txt2img"), {
  method: "POST", body: JSON.stringify(payload({ steps: 150, width: 256, height: 256 })), signal: controller.signal,
  headers: { "Content-Type": "application/json", Authorization: authorization },
}).catch((error) => error.name);
while ((await ask("/sdapi/v1/progress?skip_current_image=true")).state.job_count === 0) await new Promise((done) => setTimeout(done, 20));
controller.abort();
await post("/sdapi/v1/interrupt", {});
assert.equal(await cancelled, "AbortError");
for (let attempt = 0; ; attempt++) {
  if ((await ask("/sdapi/v1/progress")).state.job_count === 0) break;
  assert.ok(attempt < 100, "the job did not end");
  await new Promise((done) => setTimeout(done, 50));
}
console.log("ok   SillyTavern cancel");
