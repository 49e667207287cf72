import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, expectAccessible, type Framewright, inBothThemes, test } from "./server";

const PROMPTS = ["a boat at dawn", "a city at noon", "a forest at night"];

interface PartEvent {
  kind: "scene" | "join";
  scene: number;
  reused: boolean;
  still_url?: string;
}

/** The parts that the server's own events tell of a task, in order: "scene 0 made", "join 0 reused". */
async function partsOf(server: Framewright, id: string): Promise<string[]> {
  const stream = await (await server.call(`/api/v1/tasks/${id}/events?last_event_id=0`)).text();
  const events = stream.split("\n\n").filter((event) => event.includes("event: part"));
  const parts = events.map((event) => JSON.parse(event.slice(event.indexOf("data: ") + 6)) as PartEvent);
  return parts.map(({ kind, scene, reused }) => `${kind} ${scene} ${reused ? "reused" : "made"}`);
}

/** The newest video's task. */
async function newestVideo(server: Framewright): Promise<{ task_id: string; status: string }> {
  const tasks = (await (await server.call("/api/v1/tasks?kind=video&limit=1")).json()) as { task_id: string; status: string }[];
  const [newest] = tasks;
  if (newest === undefined) throw new Error("there is no video");
  return newest;
}

const prompt = (page: Page) => page.getByRole("textbox", { name: "Prompt" });
const generate = (page: Page) => page.getByRole("button", { name: "Generate" });
const row = (page: Page, scene: number) => page.getByRole("row", { name: new RegExp(`^Scene ${scene}:`) });
const block = (page: Page, scene: number) => page.getByRole("button", { name: new RegExp(`^Scene ${scene}, \\d+ frames`) });

/** Fills in scenes of half a second, with transitions of four frames. */
async function writeScenes(page: Page, prompts: readonly string[]) {
  for (const [index, text] of prompts.entries()) {
    if (index >= 2) await page.getByRole("button", { name: "Add a scene" }).click();
    else await row(page, index + 1).click();
    await prompt(page).fill(text);
    const length = page.getByRole("textbox", { name: "Length in seconds" });
    await length.fill("0.5");
    await length.blur();
    if (index < 1 || index === prompts.length - 1) continue;
  }
  for (const index of prompts.slice(1).keys()) {
    await row(page, index + 1).click();
    const frames = page.getByRole("textbox", { name: "Frames of the transition" });
    await frames.fill("4");
    await frames.blur();
  }
}

async function finished(page: Page) {
  await expect(page.locator("video")).toBeVisible({ timeout: 60_000 });
  await expect(generate(page)).toBeEnabled();
}

/** Plays the video to its end. */
async function playToTheEnd(page: Page): Promise<number> {
  return page.locator("video").evaluate(async (video: HTMLVideoElement) => {
    video.loop = false;
    video.currentTime = 0;
    const ended = new Promise((resolve, reject) => {
      video.addEventListener("ended", resolve, { once: true });
      video.addEventListener("error", () => reject(new Error(video.error?.message ?? "the video fails")), { once: true });
    });
    await video.play();
    await ended;
    return video.currentTime;
  });
}

test.describe("scenes", () => {
  test("a changed scene is made again with its transitions, and nothing else", async ({ open, page, server }) => {
    await open("motion/scenes");
    await writeScenes(page, PROMPTS);
    await expect(page.getByText("5 parts to make, 0 kept")).toBeVisible();
    await expect(block(page, 3)).toHaveAccessibleName(/^Scene 3, 12 frames, 0.5 s, from 1.33 s, to make$/);
    await generate(page).click();
    await finished(page);
    const first = await newestVideo(server);
    expect(await partsOf(server, first.task_id)).toEqual(["scene 0 made", "join 0 made", "scene 1 made", "join 1 made", "scene 2 made"]);
    await expect(page.locator("video")).toHaveAccessibleName(/^a boat at dawn/);
    await expect(page.getByText("Nothing to make, 5 parts kept")).toBeVisible();
    expect(await playToTheEnd(page)).toBeCloseTo(44 / 24, 1);

    // Each scene has its picture, in the list and in the timeline.
    for (const scene of [1, 2, 3]) {
      await expect(row(page, scene).locator("img")).toHaveAttribute("src", /^(data|http)/);
      await expect(block(page, scene).locator("img")).toBeVisible();
    }

    // A press on the timeline goes there.
    await page.locator("video").evaluate((video: HTMLVideoElement) => video.pause());
    await block(page, 3).focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator("video").evaluate((video: HTMLVideoElement) => video.currentTime)).toBeCloseTo(32 / 24, 1);
    await expect(row(page, 3)).toHaveAttribute("aria-selected", "true");
    const middle = await block(page, 1).boundingBox();
    if (middle === null) throw new Error("the timeline has no scene");
    await block(page, 1).click({ position: { x: middle.width / 2, y: 8 } });
    await expect.poll(() => page.locator("video").evaluate((video: HTMLVideoElement) => video.currentTime)).toBeCloseTo(0.25, 1);

    await row(page, 2).click();
    await prompt(page).fill("a desert at noon");
    await expect(page.getByText("3 parts to make, 2 kept")).toBeVisible();
    await expect(block(page, 1)).toHaveAccessibleName(/kept$/);
    await expect(block(page, 2)).toHaveAccessibleName(/to make$/);
    await generate(page).click();
    await expect.poll(async () => (await newestVideo(server)).task_id).not.toBe(first.task_id);
    await finished(page);
    await expect(page.getByText("3 parts made, 2 kept")).toBeVisible();
    const second = await newestVideo(server);
    expect(await partsOf(server, second.task_id)).toEqual([
      ...["scene 0 reused", "join 0 made", "scene 1 made", "join 1 made", "scene 2 reused"],
    ]);
    expect(await playToTheEnd(page)).toBeCloseTo(44 / 24, 1);

    // Scenes that change places are not made again, and an inserted one leaves the others alone.
    await page.getByRole("button", { name: "Scene 2: actions" }).click();
    await page.getByRole("menuitem", { name: "Move up" }).click();
    await expect(row(page, 1)).toHaveAccessibleName("Scene 1: a desert at noon");
    await expect(page.getByText(/^2 parts to make, 3 kept/)).toBeVisible();
    await page.getByRole("button", { name: "Scene 1: actions" }).click();
    await page.getByRole("menuitem", { name: "Duplicate" }).click();
    await expect(page.getByText(/^4 parts to make, 3 kept/)).toBeVisible();
    await inBothThemes(page, () => expectAccessible(page));
  });

  test("scenes are reordered by the keyboard alone @keyboard", async ({ open, page }) => {
    await open("motion/scenes");
    await writeScenes(page, PROMPTS);
    await row(page, 1).focus();
    await page.keyboard.press("ArrowRight");
    await expect(page.getByRole("button", { name: "Move scene 1" })).toBeFocused();
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect(row(page, 1)).toHaveAccessibleName("Scene 1: a city at noon");
    await expect(row(page, 2)).toHaveAccessibleName("Scene 2: a forest at night");
    await expect(row(page, 3)).toHaveAccessibleName("Scene 3: a boat at dawn");
  });

  test("a reload in the middle finds the draft, the task and its pictures again", async ({ open, page, server }) => {
    await open("motion/scenes");
    await writeScenes(page, ["a lighthouse in a storm", "a lighthouse in the snow", "a lighthouse in the sun"]);
    await page.getByRole("button", { name: "Model and steps" }).click();
    const steps = page.getByRole("textbox", { name: "Steps, number" });
    await steps.fill("150");
    await steps.blur();
    await generate(page).click();
    await expect(block(page, 1)).toHaveAccessibleName(/, made$/, { timeout: 60_000 });
    await page.reload();
    await expect(row(page, 1)).toHaveAccessibleName("Scene 1: a lighthouse in a storm");
    await expect(row(page, 1).locator("img")).toBeVisible();
    await finished(page);
    expect((await newestVideo(server)).status).toBe("completed");
  });

  test("the server's words stand beside a scene's field", async ({ open, page }) => {
    await open("motion/scenes");
    await prompt(page).fill("a boat");
    await generate(page).click();
    await expect(row(page, 2)).toHaveAttribute("aria-selected", "true");
    await expect(prompt(page)).toHaveAttribute("aria-invalid", "true");
    await expect(page.getByText("String should have at least 1 character")).toBeVisible();
    await expect(page.getByText("Scene 2: see beside the fields.")).toBeVisible();
    await inBothThemes(page, () => expectAccessible(page));
    await prompt(page).fill("a city");
    await expect(page.getByText("String should have at least 1 character")).toBeHidden();

    // What can't go together is said before anything is asked for.
    await row(page, 1).click();
    await page.getByRole("switch", { name: "Set it in motion" }).focus();
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: /To the next scene$/ }).click();
    await page.getByRole("option", { name: /^Pictures in between/ }).click();
    await expect(page.getByText(/a moving scene can only be cut or crossfaded/)).toBeVisible();
  });

  test("a video of the gallery is made again", async ({ open, page, server }) => {
    const body = {
      scenes: [
        { prompt: "a mill by a brook", seed: 5, duration: 0.25, join: "cut" },
        { prompt: "a mill in the snow", seed: 8, duration: 0.5 },
      ],
      ...{ width: 128, height: 128, num_inference_steps: 4, hero_description: "at dusk" },
    };
    const submitted = await server.call("/generate-video", { method: "POST", headers: { Prefer: "respond-async" }, body });
    const { task_id } = (await submitted.json()) as { task_id: string };
    await expect.poll(async () => (await newestVideo(server)).status, { timeout: 60_000 }).toBe("completed");
    await open(`gallery/${task_id}`);
    await page.getByRole("button", { name: "Use again" }).click();
    await expect(row(page, 2)).toHaveAccessibleName(/^Scene 2: .*a mill in the snow$/);
    await expect(block(page, 1)).toHaveAccessibleName(/^Scene 1, 6 frames, 0.25 s, kept$/);
    await expect(page.getByText("Nothing to make, 2 parts kept")).toBeVisible();
  });

  async function importFile(page: Page, path: string) {
    await page.locator('input[type="file"]').setInputFiles(path);
  }

  test("scenes are imported from a file", async ({ open, page, server }) => {
    await open("motion/scenes");
    const file = {
      scenes: ["a peaceful sunrise", { prompt: "a desert at sunset", duration: 2, seed: 3, join: "cut" }, { prompt: "a beach", seed: 1 }],
      ...{ fps: 24, transition_frames: 6, join: "slerp", duration_per_scene: 1 },
    };
    const path = join(server.folder, "scenes.json");
    await writeFile(path, JSON.stringify(file));
    await importFile(page, path);
    await expect(row(page, 2)).toHaveAccessibleName("Scene 2: a desert at sunset");
    await expect(block(page, 2)).toHaveAccessibleName(/^Scene 2, 48 frames, 2 s, from 1.25 s/);
    const other = join(server.folder, "other.json");
    await writeFile(other, "no scenes");
    await importFile(page, other);
    await expect(page.getByText("The file is not JSON.", { exact: false })).toBeVisible();
  });

  // Over WebDriver BiDi, a file that the page itself makes is no download.
  test("exported scenes are the same when they are imported @chromium", async ({ open, page, server }) => {
    await open("motion/scenes");
    await writeScenes(page, PROMPTS);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export scenes to a file" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("scenes.json");
    const path = join(server.folder, "exported.json");
    await download.saveAs(path);
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("menuitem", { name: "Start anew" }).click();
    await page.getByRole("button", { name: "Start anew" }).click();
    await expect(page.getByRole("row")).toHaveCount(2);
    await importFile(page, path);
    await expect(row(page, 2)).toHaveAccessibleName("Scene 2: a city at noon");
    await expect(block(page, 3)).toHaveAccessibleName(/^Scene 3, 12 frames, 0.5 s, from 1.33 s/);
  });
});

/** A PNG of a colourful picture. */
async function pictureFile(server: Framewright): Promise<string> {
  const response = await server.call("/generate", {
    method: "POST",
    body: { prompt: "a boat at sunset", seed: 3, num_inference_steps: 4 },
  });
  if (!response.ok) throw new Error(await response.text());
  const path = join(server.folder, "boat.png");
  await writeFile(path, Buffer.from(await response.arrayBuffer()));
  return path;
}

/** Whether the picture changes within the video. */
async function moves(page: Page): Promise<boolean> {
  return page.locator("video").evaluate(async (video: HTMLVideoElement) => {
    video.pause();
    const pixelsAt = async (time: number) => {
      const sought = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
      video.currentTime = time;
      await sought;
      const canvas = document.createElement("canvas");
      canvas.width = 32;
      canvas.height = 32;
      const context = canvas.getContext("2d");
      context?.drawImage(video, 0, 0, 32, 32);
      return context?.getImageData(0, 0, 32, 32).data ?? new Uint8ClampedArray();
    };
    const first = await pixelsAt(0.01);
    const last = await pixelsAt(video.duration - 0.1);
    const difference = first.reduce((sum, value, index) => sum + Math.abs(value - (last[index] ?? 0)), 0);
    return difference / first.length > 0.5;
  });
}

async function choosePicture(page: Page, path: string) {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: "Choose a file" }).click()]);
  await chooser.setFiles(path);
  await expect(page.getByRole("img", { name: "Picture to set in motion: boat.png" })).toBeVisible();
}

async function setNumber(page: Page, name: string, value: string) {
  const field = page.getByRole("textbox", { name, exact: true });
  await field.fill(value);
  await field.blur();
}

/** Small frames, which are made quickly. */
async function makeSmall(page: Page) {
  await page.getByRole("button", { name: /^Size and frame rate/ }).click();
  await setNumber(page, "Longer side in pixels, number", "128");
}

test.describe("a picture in motion", () => {
  test("a picture moves, again, and for longer", async ({ open, page, server }) => {
    const path = await pictureFile(server);
    await open("motion/picture");
    await expect(generate(page)).toBeDisabled();
    await inBothThemes(page, () => expectAccessible(page));
    await choosePicture(page, path);

    await page.getByRole("button", { name: /Camera$/ }).click();
    await page.getByRole("option", { name: /^Pan/ }).click();
    await makeSmall(page);
    await setNumber(page, "Length in seconds, number", "1");
    await generate(page).click();
    await expect(page.getByRole("button", { name: "Cancel" })).toBeVisible();
    await finished(page);
    const video = page.locator("video");
    expect(await video.evaluate((element: HTMLVideoElement) => element.loop)).toBe(true);
    expect(await moves(page)).toBe(true);
    await inBothThemes(page, () => expectAccessible(page));

    const first = await newestVideo(server);
    await page.getByRole("button", { name: "Longer: 2 s" }).click();
    await expect.poll(async () => (await newestVideo(server)).task_id).not.toBe(first.task_id);
    await finished(page);
    await expect(page.getByText(/2 s · 60 frames/)).toBeVisible();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
    expect(download.suggestedFilename()).toMatch(/\.mp4$/);
  });

  // Only Chromium's own protocol can drop a file as a person does.
  test("a dropped picture is taken @mouse @chromium", async ({ open, page, server }) => {
    const path = await pictureFile(server);
    await open("motion/picture");
    const zone = await page.locator(".drop-zone").boundingBox();
    if (zone === null) throw new Error("there is nowhere to drop a picture");
    const browser = await page.context().newCDPSession(page);
    const at = { x: zone.x + zone.width / 2, y: zone.y + 24, data: { items: [], files: [path], dragOperationsMask: 1 } };
    for (const type of ["dragEnter", "dragOver", "drop"] as const) await browser.send("Input.dispatchDragEvent", { type, ...at });
    await expect(page.getByRole("img", { name: "Picture to set in motion: boat.png" })).toBeVisible();
    await makeSmall(page);
    await generate(page).click();
    await finished(page);
    expect(await moves(page)).toBe(true);
  });

  test("a video in the making is cancelled", async ({ open, page, server }) => {
    const path = await pictureFile(server);
    await open("motion/picture");
    await choosePicture(page, path);
    await setNumber(page, "Length in seconds, number", "10");
    await generate(page).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await expect(page.getByText("Cancelled. Press Generate to make it after all.")).toBeVisible();
    await expect(generate(page)).toBeEnabled();
    expect((await newestVideo(server)).status).toBe("cancelled");
  });
});
