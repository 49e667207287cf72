import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "./server";

/** A proxy that serves everything of `target` below `/studio/`, as an operator's own proxy does. */
async function proxy(target: string): Promise<Server> {
  const server = createServer((incoming, answer) => {
    const path = incoming.url ?? "/";
    if (!path.startsWith("/studio/")) {
      answer.writeHead(404).end();
      return;
    }
    const outgoing = request(target + path.slice("/studio".length), { method: incoming.method, headers: incoming.headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    outgoing.on("error", () => answer.destroy());
    answer.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

test("the page works below a path prefix of a proxy @short", async ({ page, server }) => {
  const between = await proxy(server.url);
  const origin = `http://127.0.0.1:${(between.address() as AddressInfo).port}`;
  const outside: string[] = [];
  page.on("request", (sent) => {
    if (!sent.url().startsWith(`${origin}/studio/`) && !/^(data|blob):/.test(sent.url())) outside.push(sent.url());
  });
  await page.goto(`${origin}/studio/`);
  await expect(page).toHaveURL(new RegExp(`^${origin}/studio/ui/`));
  await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("a boat behind a proxy");
  await page.getByRole("button", { name: "Generate" }).click();
  await expect(page.getByRole("img", { name: /^a boat behind a proxy/ }).first()).toBeVisible();
  expect(outside).toEqual([]);
  await page.goto("about:blank");
  between.closeAllConnections();
  between.close();
});
