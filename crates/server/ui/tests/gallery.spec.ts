import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, expectAccessible, type Framewright, inBothThemes, test } from "./server";

const PROMPTS = ["a red boat at sunset", "a blue boat at night", "قارب عند الغروب", "a lighthouse, oil painting, thick strokes"] as const;

/** By its prompt: an accessible name begins with it. */
const tile = (page: Page, prompt: string) => page.getByRole("gridcell", { name: prompt }).first();
const tiles = (page: Page) => page.getByRole("gridcell");
const ids = new Map<string, string>();

async function ended(server: Framewright, id: string) {
  await expect.poll(async () => (await (await server.call(`/api/v1/tasks/${id}`)).json()).status, { timeout: 60_000 }).toBe("completed");
}

async function make(server: Framewright, prompt: string, seed: number): Promise<string> {
  const id = await server.submitImage({ prompt, seed, steps: 2, negative_prompt: "fog" });
  await ended(server, id);
  return id;
}

test.describe.configure({ mode: "serial" });

test("an empty gallery says how to fill it", async ({ page, open }) => {
  await open("gallery");
  await expect(page.getByRole("heading", { name: "No results yet" })).toBeVisible();
  await inBothThemes(page, () => expectAccessible(page));
  await page.getByRole("button", { name: "Make an image" }).click();
  await expect(page.getByRole("textbox", { name: "Prompt", exact: true })).toBeVisible();
});

test("@short results come by events, with their pictures and names", async ({ page, server, open }) => {
  await open("gallery");
  await expect(page.getByRole("heading", { name: "No results yet" })).toBeVisible();
  for (const [index, prompt] of PROMPTS.entries()) ids.set(prompt, await make(server, prompt, index + 1));
  await expect(tiles(page)).toHaveCount(PROMPTS.length);
  for (const prompt of PROMPTS) {
    const image = page.getByRole("img", { name: prompt });
    await expect(image).toBeVisible();
    await expect.poll(() => image.evaluate((one: HTMLImageElement) => one.complete && one.naturalWidth)).toBeGreaterThan(0);
  }
  await inBothThemes(page, () => expectAccessible(page));
});

test("@short a result opens large, with its parameters; arrow keys turn the pages", async ({ page, open }) => {
  await open("gallery");
  await tile(page, PROMPTS[1]).click();
  const dialog = page.getByRole("dialog", { name: PROMPTS[1] });
  await expect(dialog.getByRole("img", { name: PROMPTS[1] })).toBeVisible();
  for (const [name, value] of [
    ["Seed", "2"],
    ["Steps", "2"],
    ["Size", "128 × 128"],
    ["Negative prompt", "fog"],
  ] as const) {
    const word = dialog.locator(".gallery-word").filter({ has: page.getByText(name, { exact: true }) });
    await expect(word.locator("dd")).toHaveText(value);
  }
  await inBothThemes(page, () => expectAccessible(page));
  await dialog.getByRole("button", { name: "Previous result" }).click();
  await expect(page.getByRole("dialog", { name: PROMPTS[2] })).toBeVisible();
  await page.keyboard.press("ArrowLeft");
  await expect(page.getByRole("dialog", { name: PROMPTS[3] })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(tile(page, PROMPTS[3])).toBeFocused();
  // A link to a result works by itself.
  await open(`gallery/${ids.get(PROMPTS[0])}`);
  await expect(page.getByRole("dialog", { name: PROMPTS[0] })).toBeVisible();
});

test("@keyboard arrow keys, space and Enter do all that a mouse does", async ({ page, open }) => {
  await open("gallery");
  await tile(page, PROMPTS[3]).focus();
  await page.keyboard.press("ArrowRight");
  await expect(tile(page, PROMPTS[2])).toBeFocused();
  await page.keyboard.press("Space");
  await page.keyboard.press("Shift+ArrowRight");
  await expect(page.getByRole("toolbar", { name: "Selected results" })).toContainText("2 selected");
  await expect(tile(page, PROMPTS[1])).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("toolbar", { name: "Selected results" })).toHaveCount(0);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: PROMPTS[1] })).toBeVisible();
});

test("the search and the filters ask the server", async ({ page, open }) => {
  await open("gallery");
  const search = page.getByRole("searchbox", { name: "Search prompts" });
  await search.fill("BOAT night");
  await expect(tiles(page)).toHaveCount(1);
  await expect(tile(page, PROMPTS[1])).toBeVisible();
  await search.fill("غروب");
  await expect(tile(page, PROMPTS[2])).toBeVisible();
  await expect(tiles(page)).toHaveCount(1);
  await search.fill("");
  await page.getByRole("button", { name: /Kind/ }).click();
  await page.getByRole("option", { name: "Videos" }).click();
  await expect(page.getByRole("heading", { name: "Nothing matches" })).toBeVisible();
  await page.getByRole("button", { name: "Show all results" }).click();
  await expect(tiles(page)).toHaveCount(PROMPTS.length);
});

test("the size of the tiles is kept", async ({ page, open }) => {
  await open("gallery");
  const width = async () => (await tile(page, PROMPTS[0]).boundingBox())?.width ?? 0;
  const medium = await width();
  await page.getByRole("radio", { name: "Large tiles" }).click();
  await expect.poll(width).toBeGreaterThan(medium * 1.3);
  await page.reload();
  await expect(tile(page, PROMPTS[0])).toBeVisible();
  expect(await width()).toBeGreaterThan(medium * 1.3);
  await page.getByRole("radio", { name: "Medium tiles" }).click();
});

test("@short two are compared with a divider, and by what differs", async ({ page, open }) => {
  await open("gallery");
  await page.getByRole("button", { name: "Select" }).click();
  await tile(page, PROMPTS[0]).click();
  await tile(page, PROMPTS[1]).click();
  await page.getByRole("button", { name: /^Compare/ }).click();
  const dialog = page.getByRole("dialog", { name: "Compare" });
  const rows = dialog.getByRole("table", { name: "Parameters that differ" }).getByRole("row");
  await expect(rows).toHaveText([/^Differs/, new RegExp(`^Prompt${PROMPTS[0]}${PROMPTS[1]}`), /^Seed12$/]);
  const divider = dialog.getByRole("slider", { name: "Divider between A and B" });
  await divider.focus();
  await page.keyboard.press("ArrowRight");
  await expect(divider).toHaveAttribute("aria-valuetext", "51 % of A");
  await inBothThemes(page, () => expectAccessible(page));
  await dialog.getByRole("button", { name: "Side by side" }).click();
  await expect(dialog.getByRole("img")).toHaveCount(2);
  await expect(divider).toHaveCount(0);
});

test("several are downloaded as one ZIP @chromium", async ({ page, open }) => {
  await open("gallery");
  await page.getByRole("button", { name: "Select" }).click();
  await tile(page, PROMPTS[0]).click();
  await tile(page, PROMPTS[2]).click();
  await inBothThemes(page, () => expectAccessible(page));
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: /^Download/ }).click()]);
  expect(download.suggestedFilename()).toMatch(/^framewright-\d{8}-\d{6}\.zip$/);
  const zip = await readFile(await download.path());
  expect(zip.subarray(0, 4).toString("latin1")).toBe("PK\x03\x04");
  expect(zip.includes("parameters.json")).toBe(true);
});

test("one is downloaded under its name @chromium", async ({ page, open }) => {
  await open(`gallery/${ids.get(PROMPTS[0])}`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download" }).click()]);
  const png = await readFile(await download.path());
  expect(png.subarray(1, 4).toString("latin1")).toBe("PNG");
});

test("a result is used again, as a start picture, and to animate", async ({ page, open }) => {
  await open(`gallery/${ids.get(PROMPTS[0])}`);
  await page.getByRole("button", { name: "Use again" }).click();
  await expect(page.getByRole("textbox", { name: "Prompt", exact: true })).toHaveValue(PROMPTS[0]);
  await open(`gallery/${ids.get(PROMPTS[0])}`);
  await page.getByRole("button", { name: "Use as start picture" }).click();
  await expect(page).toHaveURL(/#\/image/);
  await expect(page.getByRole("img", { name: /^Picture to start from/ })).toBeVisible();
  await open(`gallery/${ids.get(PROMPTS[0])}`);
  await page.getByRole("button", { name: "Animate" }).click();
  await expect(page).toHaveURL(/#\/motion/);
});

test("@short a picture that is given says how it was made", async ({ page, server, open }) => {
  const task = await (await server.call(`/api/v1/tasks/${ids.get(PROMPTS[1])}`)).json();
  const png = Buffer.from(await (await server.call(`/files/${task.task_id}/${task.file.name}`)).arrayBuffer());
  await open("gallery");
  await page.getByRole("button", { name: "Read a picture" }).click();
  const dialog = page.getByRole("dialog", { name: "Parameters of a picture" });
  await dialog.locator("input[type=file]").setInputFiles({ name: "boat.png", mimeType: "image/png", buffer: png });
  await expect(dialog.getByText(PROMPTS[1], { exact: true })).toBeVisible();
  await expect(dialog.getByText("fog", { exact: true })).toBeVisible();
  await inBothThemes(page, () => expectAccessible(page));
  await dialog.getByRole("button", { name: "Use these" }).click();
  await expect(page.getByRole("textbox", { name: "Prompt", exact: true })).toHaveValue(PROMPTS[1]);
  // The same, dropped anywhere on the gallery.
  await open("gallery");
  await expect(tile(page, PROMPTS[1])).toBeVisible();
  const transfer = await page.evaluateHandle(
    (bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
      return data;
    },
    [...png],
  );
  await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
  await expect(page.getByRole("dialog", { name: "Parameters of a picture" }).getByText("dropped.png")).toBeVisible();
});

test("what the server does not delete comes back", async ({ page, open }) => {
  await open("gallery");
  await page.route("**/api/v1/tasks/*?forget=true", (route) =>
    route.fulfill({ status: 503, contentType: "application/json", body: JSON.stringify({ detail: "The disk is read-only" }) }),
  );
  await tile(page, PROMPTS[3]).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("One result could not be deleted: The disk is read-only")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(tile(page, PROMPTS[3])).toBeVisible();
});

test("@short a deleted result is gone from the page and from the server", async ({ page, server, open }) => {
  await open("gallery");
  await tile(page, PROMPTS[3]).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  const question = page.getByRole("alertdialog", { name: "Delete this result?" });
  await expect(question).toContainText("can't be undone");
  await question.getByRole("button", { name: "Delete" }).click();
  // The next one is shown instead.
  await expect(page.getByRole("dialog", { name: PROMPTS[2] })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(tiles(page)).toHaveCount(PROMPTS.length - 1);
  await expect.poll(async () => (await server.call(`/api/v1/tasks/${ids.get(PROMPTS[3])}`)).status).toBe(404);
});

test("a video plays", async ({ page, server, open }) => {
  const scenes = ["waves at noon", "waves at night"].map((prompt) => ({ prompt, duration: 1 }));
  const response = await server.call("/generate-video", {
    method: "POST",
    headers: { Prefer: "respond-async" },
    body: { scenes, width: 128, height: 128, fps: 8, num_inference_steps: 2 },
  });
  const { task_id: id } = (await response.json()) as { task_id: string };
  await ended(server, id);
  await open("gallery");
  await expect(tile(page, "waves at noon / waves at night")).toContainText(/\d s/);
  await tile(page, "waves at noon").click();
  const video = page.getByRole("dialog", { name: "waves at noon" }).locator("video");
  await expect.poll(() => video.evaluate((one: HTMLVideoElement) => one.currentTime), { timeout: 30_000 }).toBeGreaterThan(0.1);
  await inBothThemes(page, () => expectAccessible(page));
});

test.describe("with 10,000 results", () => {
  const COUNT = 10_000;
  const filled = new WeakSet<Framewright>();

  test.beforeEach(async ({ server }) => {
    if (filled.has(server)) return;
    filled.add(server);
    await server.stop();
    execFileSync("python3", [join(import.meta.dirname, "many_results.py"), join(server.folder, "data"), String(COUNT)]);
    await server.start();
  });

  /** Scrolls while frames are counted; all times in milliseconds. */
  async function scrolled(page: Page, pixels: number, frames: number) {
    return page.evaluate(
      async ([pixels, frames]) => {
        const times: number[] = [];
        const tasks: number[] = [];
        const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
        if (PerformanceObserver.supportedEntryTypes.includes("longtask")) observer.observe({ type: "longtask" });
        let before = await new Promise<number>(requestAnimationFrame);
        for (let frame = 0; frame < frames; frame += 1) {
          window.scrollBy(0, pixels);
          const now = await new Promise<number>(requestAnimationFrame);
          times.push(now - before);
          before = now;
        }
        observer.disconnect();
        times.sort((a, b) => a - b);
        const [median = 0, slow = 0] = [0.5, 0.95].map((share) => times[Math.floor(times.length * share)]);
        return { median, slow, over50: times.filter((time) => time > 50).length, longTasks: tasks.length, longest: Math.max(0, ...tasks) };
      },
      [pixels, frames] as const,
    );
  }

  test("it scrolls smoothly, and only the tiles on the screen exist @chromium", async ({ page, open }, { annotations }) => {
    await open("gallery");
    await expect(tiles(page).first()).toBeVisible();
    for (const [name, pixels, frames] of [
      ["reading", 40, 300],
      ["flicking", 900, 200],
    ] as const) {
      const result = await scrolled(page, pixels, frames);
      annotations.push({ type: `scrolling, ${name}`, description: JSON.stringify(result) });
      // On a busy machine without a GPU some frames are late.
      expect(result.median, JSON.stringify(result)).toBeLessThan(35);
      expect(result.over50, JSON.stringify(result)).toBeLessThan(frames / 5);
    }
    expect(await page.locator("[data-id]").count()).toBeLessThan(200);
    // The pictures come when the scrolling ends.
    await expect
      .poll(() =>
        page.locator(".gallery-image").evaluateAll((images) => images.filter((one) => (one as HTMLImageElement).naturalWidth > 0).length),
      )
      .toBeGreaterThan(3);
  });

  test("@keyboard the last one is reached, and the focus stays where it is", async ({ page, open }) => {
    await open("gallery");
    await expect(tiles(page).first()).toBeVisible();
    await tiles(page).first().focus();
    await page.keyboard.press("Control+End");
    await expect(page.getByRole("gridcell", { name: `${PROMPTS[0]}, seed 1`, exact: true })).toBeFocused();
    await expect(page.getByText(/^10,000 results$/)).toBeVisible();
    await page.keyboard.press("Control+Home");
    await expect(tiles(page).first()).toBeFocused();
  });

  test("a new result moves nothing while someone has scrolled", async ({ page, server, open }) => {
    await open("gallery");
    await expect(tiles(page).first()).toBeVisible();
    await page.evaluate(() => window.scrollTo(0, 5000));
    const seen = () =>
      page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("[data-id]")]
          .map((one) => ({ id: one.dataset.id, top: Math.round(one.getBoundingClientRect().top) }))
          .filter(({ top }) => top > 200 && top < 700),
      );
    await expect.poll(async () => (await seen()).length).toBeGreaterThan(1);
    await page.waitForTimeout(500);
    const before = await seen();
    await make(server, "the newest boat", 77);
    const button = page.getByRole("button", { name: "1 new result" });
    await expect(button).toBeVisible();
    expect(await seen()).toEqual(before);
    await button.click();
    await expect(tile(page, "the newest boat")).toBeInViewport();
  });

  test("a search in them takes no longer than typing", async ({ page, open }) => {
    await open("gallery");
    await page.getByRole("searchbox", { name: "Search prompts" }).fill("boat 9001");
    await expect(tiles(page)).toHaveCount(1, { timeout: 3000 });
  });
});
