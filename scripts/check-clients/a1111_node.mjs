// The package node-sd-webui of npm against this server: node a1111_node.mjs URL.
import assert from "node:assert/strict";
import sdwebui from "node-sd-webui";

const api = sdwebui({ apiUrl: process.argv[2] });

const made = await api.txt2img({
  prompt: "a boat on the sea", negativePrompt: "fog", seed: 4, steps: 4, width: 128, height: 96, batchSize: 2, samplingMethod: "DPM++ 2M", cfgScale: 5,
});
assert.equal(made.images.length, 2);
const info = JSON.parse(made.info);
assert.deepEqual([info.all_seeds, info.sampler_name, info.cfg_scale], [[4, 5], "DPM++ 2M", 5]);
console.log("ok   node-sd-webui txt2img");

const enlarged = await api.txt2img({
  prompt: "a boat", steps: 4, width: 64, height: 64, hires: { steps: 2, denoisingStrength: 0.6, upscaler: "Latent (nearest)", upscaleBy: 2, resizeWidthTo: 0, resizeHeigthTo: 0 },
});
assert.ok(JSON.parse(enlarged.info).infotexts[0].includes("Hires upscale: 2, Hires steps: 2, Hires upscaler: Latent (nearest)"));
console.log("ok   node-sd-webui hires");

const repainted = await api.img2img({ imageData: [made.images[0]], prompt: "the sea at night", steps: 4, width: 128, height: 96, seed: 3 });
assert.equal(repainted.images.length, 1);
console.log("ok   node-sd-webui img2img");

const read = await api.pngInfo({ imageData: `data:image/png;base64,${made.images[0]}` });
assert.deepEqual([read.prompt, read.negativePrompt, read.steps], ["a boat on the sea", "fog", 4]);
console.log("ok   node-sd-webui pngInfo");

await assert.rejects(api.txt2img({ prompt: "a boat", steps: 4, restoreFaces: true }), /Unprocessable/);
console.log("ok   node-sd-webui refusal");
