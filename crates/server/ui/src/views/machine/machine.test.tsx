import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { configure, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import type { Machine, Model } from "../../api/types";
import MachineView from "./MachineView";
import { memoryParts } from "./MemoryBar";
import { modelWords } from "./ModelList";

configure({ asyncUtilTimeout: 10_000 });
vi.setConfig({ testTimeout: 30_000 });

const MACHINE: Machine = {
  version: "0.9.0",
  device: "cpu",
  device_reason: "No CUDA device was found, so the CPU is used",
  cpu_threads: 16,
  precision: "bf16",
  uptime_seconds: 7200,
  memory: { total_bytes: 16e9, available_bytes: 9e9, resident_bytes: 3e9, models_bytes: 2e9, limit_bytes: 8e9 },
  queue: { waiting: 3, running: 1, capacity: 256 },
  store: { kept_bytes: 2e9, kept_files: 10_000, jobs: { completed: 9000, failed: 2 }, folder_free_bytes: 4e10 },
  speed: [{ model: "nano-sd", width: 512, height: 512, seconds_per_step: 0.21044, steps_per_second: 4.752 }],
  errors: [{ task_id: "img_1", at: "2026-01-11T10:30:00Z", kind: "image", code: "oom", message: "<b>out of memory</b>" }],
};

const MODEL: Model = {
  name: "nano-sd",
  default: true,
  state: "ready",
  memory_bytes: 2e9,
  loads: 1,
  precision: "bf16",
  width: 512,
  height: 512,
  steps: 20,
  guidance_scale: 7.5,
  prompt_syntax: "plain",
  vaes: ["full"],
  other_parts: {},
  loras: [],
  kind: "image",
  family: "sd1",
  schedulers: ["ddim"],
};

let models: Model[];
let asked: string[];

beforeEach(() => {
  models = [MODEL, { ...MODEL, name: "turbo", default: false, state: "unloaded" }];
  asked = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (given) => {
    const { method, url } = given as Request;
    const { pathname } = new URL(url);
    asked.push(`${method} ${pathname}`);
    if (pathname === "/api/v1/machine") return Response.json(MACHINE);
    if (pathname === "/models") return Response.json({ models, adapters: [], controlnets: [], upscalers: [], motion: null });
    if (pathname === "/models/nano-sd/unload") return Response.json({ detail: "A task uses the model" }, { status: 409 });
    models = models.map((model) => (model.name === "turbo" ? { ...model, state: "loading", progress: 40 } : model));
    return Response.json(models[1], { status: 202 });
  });
});

function open() {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <MachineView />
    </QueryClientProvider>,
  );
}

test("shares of the memory add up, whatever the numbers are", () => {
  const { memory } = MACHINE;
  expect(memoryParts(memory).map(({ bytes }) => bytes)).toEqual([2e9, 1e9, 4e9, 9e9]);
  expect(memoryParts({ ...memory, total_bytes: null })).toEqual([]);
  // Models on a GPU, and numbers of different moments.
  for (const odd of [
    { models_bytes: 60e9 },
    { resident_bytes: 20e9 },
    { available_bytes: 17e9 },
    { resident_bytes: 0, models_bytes: 0, available_bytes: 0 },
  ]) {
    const parts = memoryParts({ ...memory, ...odd });
    expect(parts.every(({ bytes }) => bytes >= 0)).toBe(true);
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(memory.total_bytes);
  }
});

test("a model in words, as far as it is known", () => {
  expect(modelWords(MODEL)).toEqual([
    "Makes images",
    "Stable Diffusion 1",
    "takes 2.0 GB",
    "bf16",
    "512 × 512",
    "20 steps",
    "guidance 7.5",
    "ddim",
  ]);
  const unknown = { memory_bytes: null, precision: null, width: null, height: null, steps: null, guidance_scale: null, family: null };
  expect(modelWords({ ...MODEL, ...unknown, schedulers: [], kind: "motion" })).toEqual(["Animates pictures"]);
});

test("the machine's numbers are there, and errors are text", async () => {
  open();
  expect(await screen.findByText("No CUDA device was found, so the CPU is used")).toBeTruthy();
  expect(screen.getByText("CPU")).toBeTruthy();
  expect(within(screen.getByRole("region", { name: "Queue" })).getByText("256")).toBeTruthy();
  expect(screen.getByText("4.75")).toBeTruthy();
  expect(screen.getByText("<b>out of memory</b>")).toBeTruthy();
  expect(screen.getByRole("link", { name: "img_1" }).getAttribute("href")).toBe("#/gallery/img_1");
  const links = within(screen.getByRole("navigation", { name: "For programs" })).getAllByRole("link") as HTMLAnchorElement[];
  expect(links.map(({ pathname }) => pathname)).toEqual(["/docs", "/metrics", "/openapi.json"]);
});

test("a model is loaded; a refusal stands beside its model", async () => {
  open();
  await userEvent.click(await screen.findByRole("button", { name: "Load turbo" }));
  const progress = await screen.findByRole("progressbar", { name: "Loading turbo" });
  expect(progress.getAttribute("aria-valuenow")).toBe("40");
  expect((screen.getByRole("button", { name: "Load turbo" }) as HTMLButtonElement).disabled).toBe(true);
  await userEvent.click(screen.getByRole("button", { name: "Unload nano-sd" }));
  expect((await screen.findByRole("alert")).textContent).toBe("A task uses the model");
  expect(asked).toContain("POST /models/turbo/load");
});
