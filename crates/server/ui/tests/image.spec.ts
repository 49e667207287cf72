import { writeFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { expect, expectAccessible, inBothThemes, pictureFile, test } from "./server";

const PROMPT = "a red circle on a blue background";

const promptField = (page: Page) => page.getByRole("textbox", { name: "Prompt", exact: true });
const generate = (page: Page) => page.getByRole("button", { name: "Generate", exact: true });
const results = (page: Page) => page.getByRole("region", { name: "Images" }).locator(".image-results");
const resultOf = (page: Page, prompt: string) => results(page).getByRole("img", { name: new RegExp(`^${prompt}`) });

/** Opens a part of the form. */
async function openPart(page: Page, title: string) {
  const trigger = page.getByRole("button", { name: new RegExp(`^${title}`) });
  if ((await trigger.getAttribute("aria-expanded")) !== "true") await trigger.click();
}

async function setSteps(page: Page, steps: number) {
  await openPart(page, "Steps and seed");
  const field = page.getByRole("textbox", { name: "Steps, number" });
  await field.fill(String(steps));
  await field.press("Tab");
}

async function tasks(server: { call: (path: string) => Promise<Response> }) {
  const response = await server.call("/api/v1/tasks?kind=image&limit=20");
  return (await response.json()) as { task_id: string; seed: number; status: string; prompt: string; width: number; height: number }[];
}

test.beforeEach(async ({ open }) => {
  await open("image");
});

test("@short a prompt becomes an image, step by step", async ({ page }) => {
  await promptField(page).fill(PROMPT);
  await setSteps(page, 100);
  await generate(page).click();
  await expect(results(page).getByText(/^Step \d+ of 100/)).toBeVisible();
  await expect(results(page).getByRole("img", { name: `Preview: ${PROMPT}` })).toBeVisible();
  await expect(resultOf(page, PROMPT)).toBeVisible();
  const width = await resultOf(page, PROMPT).evaluate((image: HTMLImageElement) => image.naturalWidth);
  expect(width).toBe(128);
});

test("settings and the image are there again after a reload", async ({ page }) => {
  await promptField(page).fill("a boat at sunset");
  await page.getByRole("radio", { name: /^Wide/ }).check({ force: true });
  await setSteps(page, 3);
  await promptField(page).press("Control+Enter");
  await expect(resultOf(page, "a boat at sunset")).toBeVisible();
  await page.reload();
  await expect(promptField(page)).toHaveValue("a boat at sunset");
  await expect(page.getByRole("radio", { name: /^Wide/ })).toBeChecked();
  await expect(resultOf(page, "a boat at sunset")).toBeVisible();
});

test("several images have consecutive seeds", async ({ page, server }) => {
  await promptField(page).fill("three of them");
  await setSteps(page, 2);
  const count = page.getByRole("textbox", { name: "Images" });
  await count.fill("3");
  await count.press("Tab");
  await generate(page).click();
  await expect(resultOf(page, "three of them")).toHaveCount(3);
  const seeds = (await tasks(server)).filter(({ prompt }) => prompt === "three of them").map(({ seed }) => seed);
  seeds.sort((a, b) => a - b);
  const [first = 0] = seeds;
  expect(seeds).toEqual([first, first + 1, first + 2]);
});

test("a locked seed makes the same image again", async ({ page }) => {
  await promptField(page).fill("twice the same");
  await setSteps(page, 2);
  const seed = page.getByRole("textbox", { name: "Seed" });
  await seed.fill("7");
  await seed.press("Tab");
  await expect(page.getByRole("button", { name: "Unlock the seed" })).toBeVisible();
  const bytes: string[] = [];
  for (let index = 0; index < 2; index += 1) {
    const before = await results(page)
      .getByRole("img")
      .getAttribute("src")
      .catch(() => null);
    await generate(page).click();
    const image = resultOf(page, "twice the same, seed 7");
    await expect(image).toBeVisible();
    if (index === 1) await expect(image).not.toHaveAttribute("src", before ?? "");
    const source = (await image.getAttribute("src")) ?? "";
    bytes.push(
      await page.evaluate(async (url) => {
        const image = await createImageBitmap(await (await fetch(url)).blob());
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext("2d");
        context?.drawImage(image, 0, 0);
        return [...(context?.getImageData(0, 0, image.width, image.height).data ?? [])].join();
      }, source),
    );
  }
  expect(bytes[0]).toBe(bytes[1]);
});

test("faults stand beside their fields, in the server's words", async ({ page }) => {
  await promptField(page).fill(" ");
  await generate(page).click();
  await expect(promptField(page)).toHaveAttribute("aria-invalid", "true");
  const words = page.locator(".field-error").first();
  await expect(words).not.toBeEmpty();
  const described = await promptField(page).getAttribute("aria-describedby");
  expect(described).toContain((await words.getAttribute("id")) ?? "nothing");
  await promptField(page).fill("a fine prompt");
  await setSteps(page, 2);
  await generate(page).click();
  await expect(resultOf(page, "a fine prompt")).toBeVisible();
  await expect(promptField(page)).not.toHaveAttribute("aria-invalid", "true");
});

test("texts of people are shown as texts", async ({ page }) => {
  const hostile = `<img src=x onerror="document.title='broken'"><b>"'&amp;`;
  await promptField(page).fill(hostile);
  await setSteps(page, 1);
  await generate(page).click();
  await expect(results(page).getByText(hostile)).toBeVisible();
  await expect(results(page).getByRole("img")).toHaveAttribute("alt", new RegExp(`^${hostile.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`));
  await expect(page).toHaveTitle("Image · Framewright");
});

test("a right-to-left prompt runs from right to left", async ({ page }) => {
  await promptField(page).fill("قارب عند الغروب");
  await expect(promptField(page)).toHaveCSS("direction", "rtl");
});

test("a task can be cancelled", async ({ page }) => {
  await promptField(page).fill("never finished");
  await setSteps(page, 150);
  await generate(page).click();
  await expect(results(page).getByText(/^Step/)).toBeVisible();
  await results(page).getByRole("button", { name: "Cancel" }).click();
  await expect(results(page).getByText("Cancelled")).toBeVisible();
});

test("a masked part of a picture is made anew, and the rest stays", async ({ page, server }) => {
  await openPart(page, "Start from a picture");
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose a file" }).first().click();
  await (await chooser).setFiles(await pictureFile(page, "#20a040"));
  await expect(page.getByRole("img", { name: "Picture to start from: picture.png" })).toBeVisible();
  await expect(page.getByRole("radio", { name: /^Like the picture/ })).toBeChecked();

  await page.getByRole("button", { name: "Paint a mask" }).click();
  const mask = page.getByRole("img", { name: /^Mask:/ });
  // With the pointer.
  const box = await mask.boundingBox();
  if (box === null) throw new Error("the mask is not visible");
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.5, { steps: 5 });
  await page.mouse.up();
  await expect(mask).toHaveAccessibleName(/^Mask: [1-9]\d* % of the picture is painted$/);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(mask).toHaveAccessibleName("Mask: 0 % of the picture is painted");
  // By keyboard: the middle quarter.
  await page.getByRole("button", { name: "Add rectangle" }).press("Enter");
  await expect(mask).toHaveAccessibleName(/^Mask: 2\d % of the picture is painted$/);
  await page.getByRole("button", { name: "Invert" }).click();
  await expect(mask).toHaveAccessibleName(/^Mask: 7\d % of the picture is painted$/);
  await page.getByRole("button", { name: "Invert" }).click();
  await page.getByRole("button", { name: "Use mask" }).click();

  await promptField(page).fill("a red circle in the middle");
  await setSteps(page, 10);
  await generate(page).click();
  const result = resultOf(page, "a red circle in the middle");
  await expect(result).toBeVisible();
  const pixels = await result.evaluate((image: HTMLImageElement) => {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d");
    context?.drawImage(image, 0, 0);
    return [
      [4, 4],
      [64, 64],
    ].map(([x = 0, y = 0]) => [...(context?.getImageData(x, y, 1, 1).data ?? [])]);
  });
  expect(pixels[0]).toEqual([0x20, 0xa0, 0x40, 255]);
  expect(pixels[1]).not.toEqual([0x20, 0xa0, 0x40, 255]);
  const [task] = await tasks(server);
  const whole = (await (await server.call(`/api/v1/tasks/${task?.task_id}`)).json()) as { request: { needs: string[] } };
  expect(whole.request.needs).toEqual(expect.arrayContaining(["image", "mask"]));
});

// Firefox gives a made-up event no clipboard.
test("a picture can be pasted @chromium", async ({ page }) => {
  await expect(promptField(page)).toBeVisible();
  await page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    canvas.width = 90;
    canvas.height = 60;
    canvas.getContext("2d")?.fillRect(0, 0, 90, 60);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
    const data = new DataTransfer();
    data.items.add(new File(blob === null ? [] : [blob], "pasted.png", { type: "image/png" }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  });
  await expect(page.getByRole("img", { name: "Picture to start from: pasted.png" })).toBeVisible();
  await expect(page.getByText("90 × 60")).toBeVisible();
  await page.getByRole("button", { name: "Remove picture to start from" }).click();
  await expect(page.getByRole("radio", { name: /^Square/ })).toBeChecked();
});

// Only Chromium's own protocol can drop a file as a person does.
test("a picture can be dropped @mouse @chromium", async ({ page }, testInfo) => {
  await openPart(page, "Start from a picture");
  const path = testInfo.outputPath("dropped.png");
  await writeFile(path, (await pictureFile(page, "#123456", 90, 60)).buffer);
  const box = await page.locator(".drop-zone").first().boundingBox();
  const [x, y] = [(box?.x ?? 0) + 20, (box?.y ?? 0) + 20];
  const protocol = await page.context().newCDPSession(page);
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await protocol.send("Input.dispatchDragEvent", { type, x, y, data: { items: [], files: [path], dragOperationsMask: 1 } });
  }
  await expect(page.getByRole("img", { name: "Picture to start from: dropped.png" })).toBeVisible();
});

test("@short the job is found again after a reload in the middle", async ({ page }) => {
  await promptField(page).fill("found again");
  await setSteps(page, 150);
  await generate(page).click();
  await expect(results(page).getByText(/^Step/)).toBeVisible();
  await page.reload();
  await expect(results(page).getByText(/^Step/)).toBeVisible();
  await expect(resultOf(page, "found again")).toBeVisible({ timeout: 60_000 });
});

test("the page survives kill -9 of the server, and so does the job", async ({ page, server }) => {
  await promptField(page).fill("after the crash");
  await setSteps(page, 150);
  await generate(page).click();
  await expect(results(page).getByText(/^Step/)).toBeVisible();
  await server.kill();
  await expect(page.getByText("Connection lost, trying again.")).toBeVisible();
  await server.start();
  await expect(page.getByText("Connection lost, trying again.")).toBeHidden();
  await expect(resultOf(page, "after the crash")).toBeVisible({ timeout: 60_000 });
});

test("its settings can be used again, and the image started from", async ({ page }) => {
  await promptField(page).fill("first this");
  await setSteps(page, 4);
  await generate(page).click();
  await expect(resultOf(page, "first this")).toBeVisible();
  await promptField(page).fill("then that");
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: "Use its settings" }).click();
  await expect(promptField(page)).toHaveValue("first this");
  await expect(page.getByRole("textbox", { name: "Steps, number" })).toHaveValue("4");
  await page.getByRole("button", { name: "Start from this image" }).click();
  await expect(page.getByRole("img", { name: /^Picture to start from:/ })).toBeVisible();
});

test("nothing serious for axe in both themes", async ({ page }) => {
  await promptField(page).fill("for axe");
  await setSteps(page, 1);
  await openPart(page, "Model");
  await openPart(page, "Start from a picture");
  await openPart(page, "Second pass");
  await generate(page).click();
  await expect(resultOf(page, "for axe")).toBeVisible();
  await inBothThemes(page, () => expectAccessible(page));
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose a file" }).first().click();
  await (await chooser).setFiles(await pictureFile(page, "#804020"));
  await page.getByRole("button", { name: "Paint a mask" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await inBothThemes(page, () => expectAccessible(page));
});
