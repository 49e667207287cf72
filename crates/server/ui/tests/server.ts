import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";

/** A real server with a data folder of its own. */
export class Framewright {
  #process: ChildProcess | null = null;

  private constructor(
    readonly program: string,
    readonly folder: string,
    readonly port: number,
    readonly args: readonly string[],
    readonly key: string | null,
  ) {}

  static async create(args: readonly string[], key: string | null): Promise<Framewright> {
    const program = process.env.FRAMEWRIGHT;
    if (program === undefined)
      throw new Error("Set FRAMEWRIGHT to the program that the tests shall start, such as target/release/framewright");
    const folder = await mkdtemp(join(tmpdir(), "framewright-ui-"));
    return new Framewright(program, folder, await freePort(), args, key);
  }

  /** The server's address, without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it, and waits until it takes requests. */
  async start() {
    const args = ["serve", "--port", String(this.port), "--data-dir", join(this.folder, "data"), ...this.args];
    const env = { ...process.env, ...(this.key === null ? {} : { FRAMEWRIGHT__ACCESS__API_KEY: this.key }) };
    const child = spawn(this.program, args, { cwd: this.folder, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    const log = createWriteStream(join(this.folder, "log"), { flags: "a" });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    const end = Date.now() + 60_000;
    while (Date.now() < end) {
      if (child.exitCode !== null) throw new Error(`The server stopped with status ${child.exitCode}; see ${this.folder}/log`);
      const response = await fetch(`${this.url}/ready`).catch(() => null);
      if (response?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`The server is not ready after a minute; see ${this.folder}/log`);
  }

  /** Ends it as a power cut would: kill -9. */
  async kill() {
    await this.#end("SIGKILL");
  }

  async stop() {
    await this.#end("SIGTERM");
  }

  async remove() {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Calls the API. */
  async call(path: string, init: { method?: string; body?: unknown; headers?: Record<string, string> } = {}): Promise<Response> {
    const headers: Record<string, string> = { ...init.headers };
    if (this.key !== null) headers.Authorization = `Bearer ${this.key}`;
    if (init.body !== undefined) headers["Content-Type"] = "application/json";
    return fetch(this.url + path, {
      method: init.method ?? "GET",
      headers,
      body: init.body === undefined ? undefined : JSON.stringify(init.body),
    });
  }

  /** Submits an image's task, and answers its id. */
  async submitImage(body: Record<string, unknown>): Promise<string> {
    const response = await this.call("/api/v1/images/generate", {
      method: "POST",
      headers: { Prefer: "respond-async" },
      body: { width: 128, height: 128, ...body },
    });
    if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
    return ((await response.json()) as { task_id: string }).task_id;
  }

  async #end(signal: NodeJS.Signals) {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

export interface ServerOptions {
  /** Further arguments of `framewright serve`. */
  serverArgs: readonly string[];
  /** The server's key; none unless a file sets one with `test.use`. */
  serverKey: string | null;
}

interface WorkerFixtures extends ServerOptions {
  server: Framewright;
}

interface TestFixtures {
  /** Opens a view of the page: "image", "queue", ... */
  open: (view: string) => Promise<void>;
}

/** Playwright's `test` with a server, and a page whose scripts and styles must not break its policy. */
export const test = base.extend<TestFixtures, WorkerFixtures>({
  serverArgs: [[], { scope: "worker", option: true }],
  serverKey: [null, { scope: "worker", option: true }],
  server: [
    async ({ serverArgs, serverKey }, use) => {
      const server = await Framewright.create(serverArgs, serverKey);
      await server.start();
      await use(server);
      await server.stop();
      await server.remove();
    },
    { scope: "worker" },
  ],
  page: async ({ page, browserName }, use) => {
    if (browserName === "firefox") await page.addInitScript(noticeFilledFields);
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      if (/content.security.policy/i.test(message.text())) faults.push(message.text());
    });
    await use(page);
    expect(faults, "errors of scripts, and breaches of the policy").toEqual([]);
  },
  open: async ({ page, server }, use) => {
    await use(async (view) => {
      await page.goto(`${server.url}/ui/#/${view}`);
    });
  },
});

/**
 * Over WebDriver BiDi, Playwright's `fill` sets a field's value through React's own property, so that React sees no change in the event that
 * follows. This makes it look.
 */
function noticeFilledFields() {
  type Tracked = EventTarget & { _valueTracker?: { setValue: (value: string) => void } };
  document.addEventListener(
    "input",
    (event) => {
      if (!event.isTrusted) (event.target as Tracked | null)?._valueTracker?.setValue("\u0000");
    },
    true,
  );
}

/** Asserts that axe finds nothing serious in the current theme. */
export async function expectAccessible(page: Page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`)).toEqual([]);
}

/** Does the same in the light theme and in the dark one. */
export async function inBothThemes(page: Page, check: () => Promise<void>) {
  for (const theme of ["light", "dark"]) {
    await page.evaluate((name) => {
      document.documentElement.dataset.theme = name;
    }, theme);
    // Colours that are still changing have another contrast.
    await page.evaluate(() => {
      for (const animation of document.getAnimations()) if (animation instanceof CSSTransition) animation.finish();
    });
    await check();
  }
}

/** A picture of one colour, as the file that a person chooses. */
export async function pictureFile(page: Page, colour: string, width = 128, height = 128) {
  const dataUrl = await page.evaluate(
    ([colour, width, height]) => {
      const canvas = document.createElement("canvas");
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d");
      if (context === null) throw new Error("no canvas");
      context.fillStyle = colour;
      context.fillRect(0, 0, width, height);
      return canvas.toDataURL("image/png");
    },
    [colour, width, height] as const,
  );
  return { name: "picture.png", mimeType: "image/png", buffer: Buffer.from(dataUrl.split(",")[1] ?? "", "base64") };
}

export { expect };
