import { expect, expectAccessible, inBothThemes, test } from "./server";

test("@short an operator sees the device, the memory, the queue and the storage", async ({ page, server, open }) => {
  const machine = await (await server.call("/api/v1/machine")).json();
  await open("machine");
  await expect(page.getByText(`Framewright ${machine.version}`)).toBeVisible();
  await expect(page.getByRole("region", { name: "Device" })).toContainText(machine.device ?? "Chosen when", { ignoreCase: true });
  const memory = page.getByRole("region", { name: "Memory" });
  for (const part of ["Models", "The rest of the server", "Other programs", "Free"]) {
    await expect(memory.getByRole("term").filter({ hasText: part })).toBeVisible();
  }
  await expect(page.getByRole("region", { name: "Queue" })).toContainText(String(machine.queue.capacity));
  await expect(page.getByRole("region", { name: "Storage" })).toContainText("Kept");
  await inBothThemes(page, () => expectAccessible(page));
});

test("@short a model is unloaded and loaded", async ({ page, server, open }) => {
  const { models } = (await (await server.call("/models")).json()) as { models: { name: string; default: boolean }[] };
  const name = models.find((model) => model.default)?.name ?? "";
  await open("machine");
  const model = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name, exact: true }) });
  await model.getByRole("button", { name: `Unload ${name}` }).click();
  await expect(model).toContainText("Not loaded");
  await model.getByRole("button", { name: `Load ${name}` }).click();
  await expect(model.getByRole("button", { name: `Unload ${name}` })).toBeVisible();
});

test("the speed of what was made is there", async ({ page, server, open }) => {
  const id = await server.submitImage({ prompt: "a boat", steps: 4 });
  await expect.poll(async () => (await (await server.call(`/api/v1/tasks/${id}`)).json()).status).toBe("completed");
  await open("machine");
  const speed = page.getByRole("table", { name: "Speed by model and size" });
  await expect(speed.getByRole("row").nth(1)).toContainText(/\d+ × \d+/);
});

test("links lead to the documentation, the metrics and the description of the API", async ({ page, server, open }) => {
  await open("machine");
  const links = page.getByRole("navigation", { name: "For programs" }).getByRole("link");
  await expect(links).toHaveCount(3);
  const addresses = await links.evaluateAll((all) => all.map((one) => (one as HTMLAnchorElement).href));
  expect(addresses).toEqual(["docs", "metrics", "openapi.json"].map((path) => `${server.url}/${path}`));
  for (const address of addresses) expect((await fetch(address)).status).toBe(200);
});
