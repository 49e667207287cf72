import { expect, test } from "./server";

test.use({ serverKey: "a-key-of-the-gallery-test" });

test("with a key, pictures are seen and a ZIP is downloaded @chromium", async ({ page, server, open }) => {
  for (const seed of [1, 2]) {
    const id = await server.submitImage({ prompt: `a boat ${seed}`, seed, steps: 2 });
    await expect.poll(async () => (await (await server.call(`/api/v1/tasks/${id}`)).json()).status, { timeout: 60_000 }).toBe("completed");
  }
  await open("gallery");
  await page.getByLabel("Key").fill(server.key ?? "");
  await page.getByRole("button", { name: "Sign in" }).click();
  // An <img> can't send the key: its address is signed.
  for (const seed of [1, 2]) {
    const image = page.getByRole("img", { name: `a boat ${seed}` });
    await expect.poll(() => image.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBeGreaterThan(0);
  }
  await page.getByRole("gridcell").first().click();
  const large = page.getByRole("dialog", { name: "a boat 2" }).getByRole("img");
  await expect.poll(() => large.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBe(128);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Select" }).click();
  for (const seed of [1, 2]) await page.getByRole("gridcell", { name: `a boat ${seed}` }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: /^Download/ }).click()]);
  expect(download.suggestedFilename()).toMatch(/\.zip$/);
});
