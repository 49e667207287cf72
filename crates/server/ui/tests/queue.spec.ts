import type { Page } from "@playwright/test";
import { expect, expectAccessible, type Framewright, inBothThemes, test } from "./server";

const waiting = (page: Page, priority: string) => page.getByRole("grid", { name: `Waiting with ${priority} priority` });
const row = (page: Page, prompt: string) => page.getByRole("row", { name: prompt });

/** A long task, and others behind it. */
async function fill(server: Framewright, ...prompts: string[]) {
  const ids = [await server.submitImage({ prompt: "the long one", steps: 150, width: 256, height: 256 })];
  for (const prompt of prompts) ids.push(await server.submitImage({ prompt, steps: 2 }));
  return ids;
}

async function priorityOf(server: Framewright, id: string | undefined) {
  const task = (await (await server.call(`/api/v1/tasks/${id}`)).json()) as { priority: string };
  return task.priority;
}

async function cancelEverything(server: Framewright) {
  const response = await server.call("/api/v1/tasks?status=pending,processing&order=desc");
  for (const { task_id } of (await response.json()) as { task_id: string }[]) {
    await server.call(`/api/v1/tasks/${task_id}`, { method: "DELETE" });
  }
}

test.afterEach(({ server }) => cancelEverything(server));

test("an empty queue says what to do", async ({ page, open }) => {
  await open("queue");
  await expect(page.getByRole("heading", { name: "Nothing waits or runs" })).toBeVisible();
  await page.getByRole("link", { name: "Make an image" }).click();
  await expect(page.getByRole("textbox", { name: "Prompt", exact: true })).toBeVisible();
});

test("@short it shows what runs and what waits, with places, and cancels one", async ({ page, server, open }) => {
  await fill(server, "second", "third");
  await open("queue");
  const running = page.getByRole("article", { name: "the long one" });
  await expect(running.getByText(/^Step \d+ of 150/)).toBeVisible();
  await expect(running.locator("img")).toBeVisible();
  await expect(row(page, "second")).toContainText("Waiting");
  await expect(row(page, "third")).toContainText("before it");
  await row(page, "second").getByRole("button", { name: "Cancel" }).click();
  await expect(row(page, "second")).toHaveCount(0);
  await expect(page.getByRole("listitem").filter({ hasText: "second" })).toContainText("Cancelled");
});

test("a higher priority comes first", async ({ page, server, open }) => {
  const [, , third] = await fill(server, "second", "third");
  await open("queue");
  await row(page, "third")
    .getByRole("button", { name: /^Priority/ })
    .click();
  await page.getByRole("menuitem", { name: "High" }).click();
  await expect(waiting(page, "high").getByRole("row", { name: "third" })).toBeVisible();
  expect(await priorityOf(server, third)).toBe("high");
  await expect(row(page, "second")).toContainText("before it");
});

// WebDriver BiDi starts no drag from the mouse.
test("a task is dragged to another priority @mouse @chromium", async ({ page, server, open }) => {
  const [, , third] = await fill(server, "second", "third");
  await open("queue");
  await row(page, "third").dragTo(waiting(page, "low"));
  await expect(waiting(page, "low").getByRole("row", { name: "third" })).toBeVisible();
  expect(await priorityOf(server, third)).toBe("low");
});

test("a task is dragged by keyboard @keyboard", async ({ page, server, open }) => {
  await fill(server, "second");
  await open("queue");
  await row(page, "second").focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("button", { name: "Drag second" })).toBeFocused();
  await page.keyboard.press("Enter");
  // The groups take turns as targets.
  for (let turn = 0; turn < 4; turn += 1) {
    const target = await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
    if (target.includes("low priority") || (await waiting(page, "low").evaluate((grid) => grid.contains(document.activeElement)))) break;
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await expect(waiting(page, "low").getByRole("row", { name: "second" })).toBeVisible();
});

test("everything is cancelled after a question", async ({ page, server, open }) => {
  await fill(server, "second", "third");
  await open("queue");
  await page.getByRole("button", { name: "Cancel all" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Keep" }).click();
  await expect(page.getByRole("alertdialog")).toBeHidden();
  await expect(row(page, "third")).toBeVisible();
  await page.getByRole("button", { name: "Cancel all" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel all" }).click();
  await expect(page.getByRole("heading", { name: "Nothing waits or runs" })).toBeVisible();
});

test("a cancelled task gets another try", async ({ page, server, open }) => {
  const id = await server.submitImage({ prompt: "once more", steps: 150 });
  await server.call(`/api/v1/tasks/${id}`, { method: "DELETE" });
  await open("queue");
  await page.getByRole("listitem").filter({ hasText: "once more" }).getByRole("button", { name: "Retry" }).click();
  await expect(page.getByRole("article", { name: "once more" })).toBeVisible();
});

test("the queue survives a reload and kill -9 of the server", async ({ page, server, open }) => {
  await fill(server, "second", "third");
  await open("queue");
  await expect(row(page, "third")).toBeVisible();
  await page.reload();
  await expect(row(page, "third")).toBeVisible();
  await server.kill();
  await expect(page.getByText("Connection lost, trying again.")).toBeVisible();
  await server.start();
  await expect(page.getByText("Connection lost, trying again.")).toBeHidden();
  await expect(page.getByRole("article", { name: "the long one" }).getByText(/^Step/)).toBeVisible();
  await expect(row(page, "third")).toBeVisible();
});

test("nothing serious for axe in both themes", async ({ page, server, open }) => {
  await fill(server, "second");
  await open("queue");
  await expect(row(page, "second")).toBeVisible();
  await inBothThemes(page, () => expectAccessible(page));
});
