import { expect, expectAccessible, inBothThemes, test } from "./server";

const KEY = "a-key-of-at-least-16-characters";

test.use({ serverKey: KEY });

test("@short a server with a key asks for it, keeps it in the tab, and forgets it", async ({ page, open }) => {
  await open("image");
  const dialog = page.getByRole("dialog", { name: "Sign in" });
  await expect(dialog).toBeVisible();
  await inBothThemes(page, () => expectAccessible(page));
  await dialog.getByLabel("Key").fill("a-wrong-key-of-this-length");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await expect(dialog.getByText("The server does not know this key.")).toBeVisible();
  await dialog.getByLabel("Key").fill(KEY);
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();

  await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("with a key");
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  const image = page.locator(".image-results").getByRole("img", { name: /^with a key/ });
  await expect(image).toBeVisible();
  // Its address is signed, because an image can't send the key.
  expect(await image.evaluate((element: HTMLImageElement) => element.complete && element.naturalWidth > 0)).toBe(true);

  await page.reload();
  await expect(image).toBeVisible();
  await expect(dialog).toBeHidden();
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(KEY);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(dialog).toBeVisible();
});
