import { expect, test } from "./server";

test("without scripts it says what it needs @chromium", async ({ browser, server }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${server.url}/ui/`);
  await expect(page.locator("noscript")).toBeInViewport();
  await expect(page.getByRole("link", { name: "Gallery" })).toBeVisible();
  await context.close();
});

test("a file that cannot be read is said", async ({ page, server }) => {
  await page.route("**/assets/main-*.js", (route) => route.abort());
  await page.goto(`${server.url}/ui/`);
  await expect(page.getByRole("alert")).toContainText("could not be read");
});

test("the navigation is the same before the scripts and after them", async ({ page, open, server }) => {
  const html = await (await server.call("/ui/")).text();
  const before = [...html.matchAll(/<a class="nav-link" href="([^"]*)"/g)].map(([, href]) => href);
  await open("image");
  await expect(page.getByRole("textbox", { name: "Prompt", exact: true })).toBeVisible();
  const after = await page.locator("a.nav-link").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  expect(before).toEqual(after);
});
