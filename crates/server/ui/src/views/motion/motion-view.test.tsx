import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { Router } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import type { TaskEvent } from "../../api/events";
import { provideTaskStore, TaskStore } from "../../api/task-store";
import { handOver } from "../../app/handoff";
import MotionView from "./MotionView";

const STILL = "data:image/jpeg;base64,AQ==";
const FPS = 24;

interface Scene {
  prompt: string;
  duration: number;
  join: string;
  transition_frames: number;
  seed: number;
}

/** Stands in for the server: says what a video will be, and takes it as a task. */
class FakeServer {
  readonly submitted: { scenes: Scene[] }[] = [];
  /** Prompts of scenes that are kept. */
  readonly kept = new Set<string>();
  history = "";
  task: Record<string, unknown> | null = null;
  fault: { status: number; body: unknown } | null = null;

  readonly fetch = async (input: RequestInfo | URL): Promise<Response> => {
    const request = input as Request;
    const path = new URL(request.url).pathname;
    if (path.endsWith("/generate-video/info")) return Response.json(this.#info(await request.json()));
    if (path.endsWith("/generate-video")) {
      if (this.fault !== null) return Response.json(this.fault.body, { status: this.fault.status });
      this.submitted.push(await request.json());
      this.task = { task_id: "vid_1", status: "pending", progress: 0, queue_position: 0, result: null, prompt: "a / b" };
      return Response.json({ task_id: "vid_1", status: "pending", message: "", seed: 1, remarks: [] }, { status: 202 });
    }
    if (path.endsWith("/events")) return new Response(this.history, { headers: { "Content-Type": "text/event-stream" } });
    if (path.endsWith("/tasks/vid_1") && this.task !== null) return Response.json(this.task);
    if (path.endsWith("/models")) return Response.json({ models: [MODEL], adapters: [], controlnets: [], upscalers: [], motion: null });
    return Response.json({ detail: "Not found" }, { status: 404 });
  };

  #info({ scenes }: { scenes: Scene[] }) {
    const timeline: Record<string, unknown>[] = [];
    let frame = 0;
    const add = (entry: Record<string, unknown>, frames: number) => {
      timeline.push({ ...entry, frames, start_frame: frame, start_seconds: frame / FPS, seconds: frames / FPS });
      frame += frames;
    };
    scenes.forEach((scene, index) => {
      add({ kind: "scene", scene: index, cached: this.kept.has(scene.prompt) }, Math.trunc(scene.duration * FPS));
      if (index < scenes.length - 1) {
        const frames = scene.join === "cut" ? 0 : scene.transition_frames;
        add({ kind: "join", scene: index, join: scene.join, cached: false }, frames);
      }
    });
    const of = { total_frames: frame, total_duration_seconds: frame / FPS, fps: FPS, estimated_generation_time_seconds: 4.2 };
    return { scenes_count: scenes.length, timeline, ...of };
  }
}

const MODEL = {
  ...{ name: "nano-sd", default: true, state: "ready", kind: "image", family: null, width: 128, height: 128, steps: 25 },
  ...{ guidance_scale: 7.5, schedulers: ["ddim"], vaes: ["full"], prompt_syntax: "plain", loras: [] },
};

let server: FakeServer;
let store: TaskStore;
let queries: QueryClient;

// Finding by role takes long in jsdom, and more on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

beforeEach(() => {
  localStorage.clear();
  location.hash = "#/motion/scenes";
  server = new FakeServer();
  vi.spyOn(globalThis, "fetch").mockImplementation(server.fetch as typeof fetch);
  queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  store = new TaskStore(queries);
  provideTaskStore(store);
});

function open() {
  return render(
    <QueryClientProvider client={queries}>
      <Router hook={useHashLocation}>
        <MotionView />
      </Router>
    </QueryClientProvider>,
  );
}

function tell(kind: string, data: TaskEvent["data"]) {
  act(() => store.apply({ kind, data: { task_id: "vid_1", status: "processing", ...data } }));
}

const prompt = () => screen.getByRole("textbox", { name: "Prompt" });
const row = (name: RegExp) => screen.getByRole("row", { name });
const block = (name: RegExp) => screen.findByRole("button", { name });

async function write(text: string) {
  await userEvent.click(prompt());
  await userEvent.paste(text);
}

async function writeTwoScenes() {
  await write("a boat");
  await userEvent.click(row(/^Scene 2/));
  await write("a city");
}

test("the timeline shows frames and seconds before anything is made", async () => {
  open();
  expect(await block(/^Scene 1, 72 frames, 3 s, to make/)).toBeTruthy();
  expect(await block(/^Scene 2, 72 frames, 3 s, from 3.5 s, to make/)).toBeTruthy();
  expect(screen.getByText(/^Crossfade, 12 frames, 0.5 s, to make/)).toBeTruthy();
  expect(screen.getByText("3 parts to make, 0 kept · about 4 s")).toBeTruthy();
});

test("a video is asked for, followed part by part, and played", async () => {
  open();
  await writeTwoScenes();
  server.kept.add("a boat");
  await userEvent.click(screen.getByRole("button", { name: "Generate" }));
  await waitFor(() => expect(server.submitted).toHaveLength(1));
  const { scenes } = server.submitted[0] ?? { scenes: [] };
  expect(scenes.map(({ prompt }) => prompt)).toEqual(["a boat", "a city"]);
  expect(scenes.every(({ seed }) => Number.isInteger(seed))).toBe(true);

  tell("started", {});
  tell("part", { part: 0, kind: "scene", scene: 0, reused: true, still_url: STILL });
  tell("part", { part: 1, kind: "join", scene: 0, reused: false });
  expect(await block(/^Scene 1, .*, kept$/)).toBeTruthy();
  expect(await block(/^Scene 2, .*, being made$/)).toBeTruthy();
  expect(screen.getByText(/^Crossfade, .*, made$/)).toBeTruthy();
  expect(await screen.findByText(/^Scene 2 of 2/)).toBeTruthy();
  expect(
    row(/^Scene 1/)
      .querySelector("img")
      ?.getAttribute("src"),
  ).toBe(STILL);
  expect((screen.getByRole("button", { name: "Generate" }) as HTMLButtonElement).disabled).toBe(true);

  tell("completed", { status: "completed", progress: 100, task: ENDED as never });
  const video = await screen.findByLabelText("a boat / a city");
  expect(video.getAttribute("src")).toContain("/files/vid_1/video.mp4");
  expect(screen.getByText(/2 parts made, 1 kept/)).toBeTruthy();
});

const ENDED = {
  ...{ task_id: "vid_1", status: "completed", progress: 100, prompt: "a boat / a city", thumbnail_url: null, message: "" },
  ...{ queue_position: null, eta_seconds: null, error: null },
  result: {
    ...{ service: "local", duration: 2 },
    result: {
      files: [
        { name: "video.mp4", url: "http://other.host:8000/files/vid_1/video.mp4", media_type: "video/mp4", bytes: 9, expired: false },
      ],
      ...{ width: 128, height: 128, frames: 156, fps: "24", native: null, seed: 1, prompt_truncated: false, remarks: [] },
      parts: { made: 2, reused: 1 },
    },
  },
};

test("the server's words about a scene stand beside its field, and the scene opens", async () => {
  open();
  await write("a boat");
  const fault = { loc: ["body", "scenes", 1, "prompt"], msg: "String should have at least 1 character" };
  server.fault = { status: 422, body: { detail: [fault] } };
  await userEvent.click(screen.getByRole("button", { name: "Generate" }));
  expect(await screen.findByText("String should have at least 1 character")).toBeTruthy();
  expect(prompt().getAttribute("aria-invalid")).toBe("true");
  expect(row(/^Scene 2/).getAttribute("aria-selected")).toBe("true");
  expect(within(row(/^Scene 2/)).getByRole("img", { name: "Has errors" })).toBeTruthy();
  expect(screen.getByText("Scene 2: see beside the fields.")).toBeTruthy();
  await write("a city");
  expect(screen.queryByText("String should have at least 1 character")).toBeNull();
});

test("after a reload the draft, the task and its stills are there again", async () => {
  const first = open();
  await writeTwoScenes();
  await userEvent.click(screen.getByRole("button", { name: "Generate" }));
  await waitFor(() => expect(server.submitted).toHaveLength(1));
  first.unmount();
  server.task = { ...server.task, status: "processing", progress: 40 };
  const data = { task_id: "vid_1", kind: "scene", scene: 0, reused: false, still_url: STILL };
  server.history = `id: 1\nevent: part\ndata: ${JSON.stringify(data)}\n\n`;
  store = new TaskStore(queries);
  provideTaskStore(store);
  open();
  expect(await block(/^Scene 1, .*, made$/)).toBeTruthy();
  expect(screen.getByRole("row", { name: "Scene 1: a boat" })).toBeTruthy();
  expect(screen.getByRole("button", { name: "Cancel" })).toBeTruthy();
});

test("scenes are added, copied, moved and removed, and their seeds stay", async () => {
  open();
  await writeTwoScenes();
  const seed = () => (screen.getByRole("textbox", { name: "Seed" }) as HTMLInputElement).value;
  const ofCity = seed();
  await userEvent.click(screen.getByRole("button", { name: "Add a scene" }));
  await write("a forest");
  const act = async (scene: number, name: string) => {
    await userEvent.click(screen.getByRole("button", { name: `Scene ${scene}: actions` }));
    await userEvent.click(await screen.findByRole("menuitem", { name }));
  };
  await act(3, "Move up");
  await act(1, "Duplicate");
  const names = () => screen.getAllByRole("row").map((row) => row.getAttribute("aria-label"));
  expect(names()).toEqual(["Scene 1: a boat", "Scene 2: a boat", "Scene 3: a forest", "Scene 4: a city"]);
  await act(2, "Remove");
  expect(names()).toEqual(["Scene 1: a boat", "Scene 2: a forest", "Scene 3: a city"]);
  await userEvent.click(row(/^Scene 3/));
  expect(seed()).toBe(ofCity);
});

test("new seeds are drawn for scenes that are not locked", async () => {
  open();
  const seed = () => (screen.getByRole("textbox", { name: "Seed" }) as HTMLInputElement).value;
  const first = seed();
  await userEvent.click(screen.getByRole("button", { name: "Lock the seed" }));
  await userEvent.click(row(/^Scene 2/));
  const second = seed();
  await userEvent.click(screen.getByRole("button", { name: "New seeds for scenes that are not locked" }));
  expect(seed()).not.toBe(second);
  await userEvent.click(row(/^Scene 1/));
  expect(seed()).toBe(first);
});

test("another view hands over scenes to use again", async () => {
  open();
  await write("a boat");
  const scenes = [
    { prompt: "a fox", seed: 7, duration: 1, source: "still" },
    { prompt: "an owl", seed: 9, duration: 2, source: "still" },
    "a hare",
  ];
  act(() => handOver("motion", { request: { path: "/generate-video", body: { scenes, hero_description: "in the woods", fps: 12 } } }));
  const names = () => screen.getAllByRole("row").map((row) => row.getAttribute("aria-label"));
  expect(names()).toEqual(["Scene 1: a fox", "Scene 2: an owl", "Scene 3: a hare"]);
  expect((screen.getByRole("textbox", { name: "Seed" }) as HTMLInputElement).value).toBe("7");
});

test("another view hands over a clip to make again", async () => {
  open();
  const body = { motion_strength: 0.25, camera_motion: "zoom", duration: 4, resolution: "256x128", seed: 5, prompt: "" };
  act(() => handOver("motion", { request: { path: "/api/v1/videos/generate", body, needs: ["image"] } }));
  expect(await screen.findByRole("tab", { name: "Set a picture in motion", selected: true })).toBeTruthy();
  expect((screen.getByRole("textbox", { name: "Motion, number" }) as HTMLInputElement).value).toBe("0.25");
  expect((screen.getByRole("textbox", { name: "Seed" }) as HTMLInputElement).value).toBe("5");
  expect(screen.getByRole("button", { name: "Unlock the seed" })).toBeTruthy();
});
