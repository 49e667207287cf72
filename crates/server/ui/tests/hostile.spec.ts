import { expect, test } from "./server";

/** Texts that would run, load, or change something if the page took them for markup, an address or a pattern. */
const HOSTILE = [
  "<script>window.broken = 1</script>",
  "<img src=x onerror='window.broken = 1'>",
  "<svg/onload=window.broken=1>",
  '"><iframe srcdoc="<script>parent.broken=1</script>">',
  "javascript:window.broken=1",
  "{{constructor.constructor('window.broken=1')()}}",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a text, on purpose.
  "${window.broken = 1}",
  "</textarea></style></title><script>window.broken=1</script>",
  "<a href='javascript:window.broken=1' style='position:fixed;inset:0'>click</a>",
  "<style>* { display: none }</style>",
  "data:text/html,<script>window.broken=1</script>",
  "a\u202eboat \u0000<b>bold</b> &lt;i&gt; %3Cscript%3E",
] as const;

/** What the server keeps of it. */
const kept = (text: string) => text.replaceAll("\u0000", "");

test("hostile prompts are text in every view @short", async ({ page, server, open }) => {
  const ids: string[] = [];
  for (const [index, prompt] of HOSTILE.entries()) {
    ids.push(await server.submitImage({ prompt: kept(prompt), steps: 1, width: 64, height: 64, seed: index }));
  }
  for (const id of ids) await expect.poll(async () => (await (await server.call(`/api/v1/tasks/${id}`)).json()).status).toBe("completed");
  const isWhole = async () => {
    expect(await page.evaluate(() => (window as unknown as { broken?: number }).broken)).toBeUndefined();
    await expect(page.locator("iframe, main script, main style")).toHaveCount(0);
  };
  await open("gallery");
  for (const prompt of HOSTILE) await expect(page.getByRole("img", { name: kept(prompt).slice(0, 20) }).first()).toBeVisible();
  await isWhole();
  for (const [index, id] of ids.entries()) {
    await open(`gallery/${id}`);
    const text = page.getByText(kept(HOSTILE[index] ?? ""), { exact: true });
    await expect(text.filter({ visible: true }).first()).toBeVisible();
    await isWhole();
  }
  await open("queue");
  await expect(page.getByText(kept(HOSTILE[0]), { exact: false }).filter({ visible: true }).first()).toBeVisible();
  await isWhole();
});

test("hostile words in the server's errors, and in names of files, are text", async ({ page, open }) => {
  await open("image");
  await page.route("**/api/v1/images/generate", async (route) => {
    const detail = HOSTILE.map((text) => ({ loc: ["body", "prompt"], msg: text, type: "value_error", input: text }));
    const body = { detail, error: { code: "VALIDATION_ERROR", message: HOSTILE[1], details: {} } };
    await route.fulfill({ status: 422, contentType: "application/json", body: JSON.stringify(body) });
  });
  await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("a boat");
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.getByText(HOSTILE[0], { exact: false }).first()).toBeVisible();
  expect(await page.evaluate(() => (window as unknown as { broken?: number }).broken)).toBeUndefined();
  await open("gallery");
  const file = { name: "<img src=x onerror='window.broken=1'>.png", mimeType: "image/png", buffer: Buffer.from("not a picture") };
  const choosers = page.locator("input[type=file]");
  if ((await choosers.count()) > 0) await choosers.first().setInputFiles(file);
  await expect(page.locator("main script, iframe")).toHaveCount(0);
  expect(await page.evaluate(() => (window as unknown as { broken?: number }).broken)).toBeUndefined();
});
