import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { configure, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { provideTaskStore, TaskStore, taskStore } from "../../api/task-store";
import type { TaskSummary } from "../../api/types";
import { ConfirmHost, ToastHost } from "../../components/overlays";
import GalleryView from "./GalleryView";

// A grid of dozens of cells takes jsdom a while, on a busy machine longer.
configure({ asyncUtilTimeout: 10_000 });
vi.setConfig({ testTimeout: 30_000 });

/** A server with tasks, the newest first, as far as the gallery asks it. */
let tasks: TaskSummary[];
let refused: ReadonlySet<string>;
let asked: string[];

function task(n: number): TaskSummary {
  const id = `img_${n}`;
  const file = { name: "image-0.png", url: `/files/${id}/image-0.png`, media_type: "image/png", bytes: 1000, expired: false };
  return {
    task_id: id,
    status: "completed",
    kind: "image",
    prompt: `boat ${n}`,
    seed: n,
    width: 64,
    height: 64,
    file,
    thumbnail_url: `/api/v1/tasks/${id}/thumbnail`,
    error: null,
    frames: null,
    duration_seconds: null,
    elapsed_seconds: 1,
    created_at: "2026-01-11T10:30:00Z",
    completed_at: "2026-01-11T10:30:04Z",
    model: null,
  } as unknown as TaskSummary;
}

function whole(one: TaskSummary) {
  const body = { prompt: one.prompt, steps: 4, seed: one.seed };
  return { ...one, result: null, parameters: null, request: { path: "/api/v1/images/generate", body, needs: [] } };
}

async function answer(request: Request): Promise<Response> {
  const url = new URL(request.url);
  asked.push(`${request.method} ${url.pathname}${url.search}`);
  const id = /^\/api\/v1\/tasks\/([^/]+)$/.exec(url.pathname)?.[1];
  if (url.pathname === "/api/v1/tasks") {
    const words = url.searchParams.get("q") ?? "";
    const start = tasks.findIndex(({ task_id }) => task_id === url.searchParams.get("after")) + 1;
    const found = tasks.slice(start).filter(({ prompt }) => prompt?.includes(words));
    return Response.json(found.slice(0, Number(url.searchParams.get("limit"))));
  }
  const one = tasks.find(({ task_id }) => task_id === id);
  if (one === undefined) return Response.json({ detail: `There is no task ${id}` }, { status: 404 });
  if (request.method !== "DELETE") return Response.json(whole(one));
  if (refused.has(one.task_id)) return Response.json({ detail: "The disk is read-only" }, { status: 503 });
  tasks = tasks.filter((other) => other !== one);
  return Response.json({ success: true, message: "", task_id: id });
}

/** jsdom has no layout: elements are 880 pixels wide, which are four tiles. */
beforeEach(() => {
  tasks = Array.from({ length: 30 }, (_, index) => task(30 - index));
  refused = new Set();
  asked = [];
  vi.spyOn(globalThis, "fetch").mockImplementation((request) => answer(request as Request));
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ width: 880, height: 200, top: 0, left: 0 } as DOMRect);
  vi.spyOn(window, "scrollTo").mockImplementation(() => undefined);
  globalThis.ResizeObserver ??= class {
    observe() {}
    unobserve() {}
    disconnect() {}
  } as unknown as typeof ResizeObserver;
});

async function open(path = "/gallery") {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  provideTaskStore(new TaskStore(queries));
  const location = memoryLocation({ path, record: true });
  render(
    <QueryClientProvider client={queries}>
      <Router hook={location.hook}>
        <GalleryView />
        <ConfirmHost />
        <ToastHost />
      </Router>
    </QueryClientProvider>,
  );
  if (tasks.length > 0 && path === "/gallery") await appeared(tasks.length);
  return location;
}

// By their ids: finding one of many cells by its role takes a second in jsdom.
const find = (n: number) => document.querySelector<HTMLElement>(`[role="gridcell"][data-id="img_${n}"]`);
const appeared = (n: number) => waitFor(() => expect(find(n)).not.toBeNull());
const gone = (n: number) => waitFor(() => expect(find(n)).toBeNull());

function cell(n: number): HTMLElement {
  const found = find(n);
  if (found === null) throw new Error(`img_${n} is not there`);
  return found;
}

const focused = () => (document.activeElement as HTMLElement | null)?.dataset.id;

test("the grid says what it is, and only a part of it exists", async () => {
  tasks = Array.from({ length: 100 }, (_, index) => task(100 - index));
  await open();
  const grid = screen.getByLabelText("Results");
  expect(grid.getAttribute("role")).toBe("grid");
  expect(grid.getAttribute("aria-colcount")).toBe("4");
  expect(grid.getAttribute("aria-multiselectable")).toBe("true");
  expect(within(grid).getAllByRole("gridcell").length).toBeLessThan(60);
  expect(
    within(grid)
      .getAllByRole("gridcell")
      .filter(({ tabIndex }) => tabIndex === 0),
  ).toHaveLength(1);
});

test("arrow keys move, space selects, Enter opens and Escape comes back", async () => {
  const { history } = await open();
  await userEvent.click(screen.getByRole("searchbox", { name: "Search prompts" }));
  cell(30).focus();
  await userEvent.keyboard("{ArrowRight}{ArrowDown}");
  expect(focused()).toBe("img_25");
  await userEvent.keyboard(" {Shift>}{ArrowRight}{/Shift}");
  expect(cell(25).getAttribute("aria-selected")).toBe("true");
  expect(cell(24).getAttribute("aria-selected")).toBe("true");
  expect(screen.getByRole("toolbar", { name: "Selected results" }).textContent).toContain("2 selected");
  await userEvent.keyboard("{Escape}");
  expect(screen.queryByRole("toolbar", { name: "Selected results" })).toBeNull();
  await userEvent.keyboard("{Enter}");
  expect(history.at(-1)).toBe("/gallery/img_24");
  await screen.findByRole("dialog", { name: "boat 24" });
  await userEvent.keyboard("{ArrowRight}");
  expect(await screen.findByRole("dialog", { name: "boat 23" })).toBeTruthy();
  await userEvent.keyboard("{Escape}");
  await waitFor(() => expect(focused()).toBe("img_23"));
});

test("the last result is reached by Ctrl and End, although it was not read yet", async () => {
  tasks = Array.from({ length: 700 }, (_, index) => task(700 - index));
  await open();
  cell(700).focus();
  await userEvent.keyboard("{Control>}{End}{/Control}");
  await waitFor(() => expect(focused()).toBe("img_1"));
});

test("deleting takes results away at once, and those that stay come back", async () => {
  refused = new Set(["img_29"]);
  await open();
  for (const n of [30, 29]) await userEvent.click(cell(n).querySelector(".gallery-check") as Element);
  await userEvent.click(screen.getByRole("button", { name: "Delete" }));
  const question = await screen.findByRole("alertdialog", { name: "Delete 2 results?" });
  expect(question.textContent).toContain("can't be undone");
  await userEvent.click(within(question).getByRole("button", { name: "Delete 2" }));
  expect(await screen.findByText("One result could not be deleted: The disk is read-only")).toBeTruthy();
  await gone(30);
  expect(cell(29)).toBeTruthy();
  expect(asked).toContain("DELETE /api/v1/tasks/img_30?forget=true");
});

test("two that are selected are compared by what differs", async () => {
  await open();
  await userEvent.click(screen.getByRole("button", { name: "Select" }));
  await userEvent.click(cell(30));
  await userEvent.click(cell(28));
  await userEvent.click(screen.getByRole("button", { name: /^Compare/ }));
  const dialog = await screen.findByRole("dialog", { name: "Compare" });
  const table = await within(dialog).findByRole("table", { name: "Parameters that differ" });
  expect(
    within(table)
      .getAllByRole("rowheader")
      .map(({ textContent }) => textContent),
  ).toEqual(["Prompt", "Seed"]);
  expect(within(dialog).getByRole("slider", { name: "Divider between A and B" })).toBeTruthy();
});

test("a search asks the server, and says when nothing matches", async () => {
  await open();
  const search = screen.getByRole("searchbox", { name: "Search prompts" });
  await userEvent.type(search, "boat 7");
  await gone(30);
  expect(within(cell(7)).getByRole("img", { name: "boat 7, seed 7" })).toBeTruthy();
  expect(asked.at(-1)).toContain("q=boat%207");
  await userEvent.type(search, "x");
  await userEvent.click(await screen.findByRole("button", { name: "Show all results" }));
  await appeared(30);
});

test("a new result comes by an event", async () => {
  await open();
  tasks = [task(31), ...tasks];
  taskStore().apply({ kind: "completed", data: { task_id: "img_31", status: "completed" } });
  await appeared(31);
});

test("without results the gallery says how to make one", async () => {
  tasks = [];
  await open();
  expect(await screen.findByRole("heading", { name: "No results yet" })).toBeTruthy();
  expect(screen.getByRole("button", { name: "Make an image" })).toBeTruthy();
});

test("an address of a result that is gone says so in the server's words", async () => {
  await open("/gallery/img_999");
  expect(await screen.findByText("There is no task img_999")).toBeTruthy();
});
