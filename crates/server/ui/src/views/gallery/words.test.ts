import { expect, test } from "vitest";
import type { Task } from "../../api/types";
import { differences, nameOf, requestWords, titleOf } from "./words";

function made(body: Record<string, unknown>, more: Partial<Task> = {}): Task {
  const request = { path: "/api/v1/images/generate", body, needs: [] };
  return {
    task_id: "img_1",
    status: "completed",
    kind: "image",
    prompt: "a boat",
    seed: 1,
    width: 512,
    height: 512,
    created_at: "2026-01-11T10:30:00Z",
    completed_at: "2026-01-11T10:30:04Z",
    file: null,
    frames: null,
    duration_seconds: null,
    elapsed_seconds: null,
    model: null,
    result: null,
    request,
    ...more,
  } as Task;
}

test("a request in words", () => {
  const body = {
    prompt: "a boat",
    width: 512,
    height: 768,
    steps: 20,
    cfg_scale: 7.5,
    mask_only: false,
    loras: [
      { name: "ink", weight: 0.8, text_weight: 0.8 },
      { name: "oil", weight: 1, text_weight: 0.5 },
    ],
    hires: { scale: 2, upscaler: "nano" },
    vae: null,
  };
  expect(requestWords({ path: "/api/v1/images/generate", body, needs: [] })).toEqual([
    ["Made as", "Text to image"],
    ["Prompt", "a boat"],
    ["Size", "512 × 768"],
    ["Steps", "20"],
    ["Guidance", "7.5"],
    ["Mask only", "no"],
    ["LoRA 1", "ink × 0.8"],
    ["LoRA 2", "oil × 1 (text × 0.5)"],
    ["Second pass, scale", "2"],
    ["Second pass, upscaler", "nano"],
  ]);
});

test("scenes are numbered", () => {
  const body = { scenes: [{ prompt: "a boat", motion: { num_frames: 14 } }] };
  expect(requestWords({ path: "/generate-video", body, needs: [] })).toEqual([
    ["Made as", "Video of scenes"],
    ["Scene 1, prompt", "a boat"],
    ["Scene 1, motion, frames", "14"],
  ]);
});

test("a name begins with the prompt", () => {
  expect(nameOf(made({}))).toBe("a boat, seed 1");
  expect(titleOf({ prompt: " ", kind: "upscale" })).toBe("Enlarged image");
  expect(nameOf(made({}, { status: "failed", seed: null }))).toBe("a boat, failed");
});

test("only what differs is listed", () => {
  const rows = differences(made({ prompt: "a boat", steps: 20, seed: 1 }), made({ prompt: "a boat", steps: 30, seed: 1, eta: 0.5 }));
  expect(rows).toEqual([
    { name: "Steps", values: ["20", "30"] },
    { name: "Eta", values: [null, "0.5"] },
  ]);
});
