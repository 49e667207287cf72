import { beforeEach, expect, test, vi } from "vitest";
import type { TaskSummary } from "../../api/types";
import { FIRST_PAGE, type ReadPage, ResultList } from "./result-list";

const FILTER = { status: ["completed"], kind: null, q: "" } as const;

/** Task `n`; the newest has the highest number. */
function task(n: number): TaskSummary {
  return { task_id: `img_${n}`, status: "completed", thumbnail_url: `/t/${n}` } as TaskSummary;
}

/** A server with tasks, the newest first. */
class Server {
  tasks: TaskSummary[];
  asked: { after: string | undefined; limit: number }[] = [];
  fault: Error | null = null;

  constructor(count: number) {
    this.tasks = Array.from({ length: count }, (_, index) => task(count - index));
  }

  readonly read: ReadPage = async (_filter, after, limit) => {
    this.asked.push({ after, limit });
    await Promise.resolve();
    if (this.fault !== null) throw this.fault;
    const start = after === undefined ? 0 : this.tasks.findIndex(({ task_id }) => task_id === after) + 1;
    return this.tasks.slice(start, start + limit);
  };

  add(n: number) {
    this.tasks.unshift(task(n));
  }
}

let server: Server;
let list: ResultList;
const ids = () => list.results.items.map(({ task_id }) => task_id);

beforeEach(async () => {
  server = new Server(1000);
  list = new ResultList(FILTER, server.read);
  await list.loadMore();
});

test("pages follow each other to the end", async () => {
  expect(ids()).toHaveLength(FIRST_PAGE);
  expect(list.results.hasMore).toBe(true);
  await Promise.all([list.loadMore(), list.loadMore()]);
  expect(server.asked.at(-1)).toEqual({ after: `img_${1000 - FIRST_PAGE + 1}`, limit: 250 });
  await list.loadAll();
  expect(ids()).toEqual(server.tasks.map(({ task_id }) => task_id));
  expect(list.results.hasMore).toBe(false);
});

test("an event reads one page again, and merges it", async () => {
  await list.loadAll();
  server.asked = [];
  server.add(1001);
  await list.refresh();
  expect(server.asked).toEqual([{ after: undefined, limit: FIRST_PAGE }]);
  expect(ids()).toEqual(server.tasks.map(({ task_id }) => task_id));
});

test("events that come together are one request", async () => {
  vi.useFakeTimers();
  server.asked = [];
  server.add(1001);
  for (const task_id of ["img_1001", "img_1000"]) list.apply({ kind: "completed", data: { task_id, status: "completed" } });
  list.apply({ kind: "progress", data: { task_id: "img_2000", status: "processing" } });
  await vi.advanceTimersByTimeAsync(1000);
  vi.useRealTimers();
  expect(server.asked).toHaveLength(1);
  expect(ids()[0]).toBe("img_1001");
});

test("new results wait while someone has scrolled, and move nothing", async () => {
  list.holdBack(true);
  const before = ids();
  server.add(1001);
  server.add(1002);
  await list.refresh();
  expect(ids()).toEqual(before);
  expect(list.results.waiting).toBe(2);
  list.showWaiting();
  expect(ids().slice(0, 3)).toEqual(["img_1002", "img_1001", "img_1000"]);
  expect(list.results.waiting).toBe(0);
});

test("what another page deleted is gone", async () => {
  server.tasks = server.tasks.filter(({ task_id }) => task_id !== "img_999");
  await list.refresh();
  expect(ids().slice(0, 2)).toEqual(["img_1000", "img_998"]);
  list.apply({ kind: "forgotten", data: { task_id: "img_998" } });
  expect(ids().slice(0, 2)).toEqual(["img_1000", "img_997"]);
});

test("hundreds of new results are caught up with", async () => {
  for (let n = 1001; n <= 1250; n += 1) server.add(n);
  await list.refresh();
  expect(ids().slice(0, 300)).toEqual(server.tasks.slice(0, 300).map(({ task_id }) => task_id));
  await list.loadAll();
  expect(ids()).toEqual(server.tasks.map(({ task_id }) => task_id));
});

test("after too many new results the list starts over, and has no gap", async () => {
  for (let n = 1001; n <= 2000; n += 1) server.add(n);
  await list.refresh();
  expect(list.results.hasMore).toBe(true);
  await list.loadAll();
  expect(ids()).toEqual(server.tasks.map(({ task_id }) => task_id));
});

test("a hidden result comes back to its place, and is no place to read on from", async () => {
  const last = `img_${1000 - FIRST_PAGE + 1}`;
  list.hide([last, "img_1000"]);
  expect(ids()).not.toContain(last);
  await list.loadMore();
  expect(server.asked.at(-1)?.after).toBe(`img_${1000 - FIRST_PAGE + 2}`);
  list.restore([last, "img_1000"]);
  expect(ids()).toEqual(server.tasks.slice(0, ids().length).map(({ task_id }) => task_id));
  expect(new Set(ids()).size).toBe(ids().length);
});

test("an error stays until an attempt succeeds", async () => {
  server.fault = new Error("The server can't be reached.");
  await list.loadMore();
  expect(list.results.error).toBe(server.fault);
  expect(ids()).toHaveLength(FIRST_PAGE);
  server.fault = null;
  await list.refresh();
  expect(list.results.error).toBeNull();
});

test("the end of a short list is known at once", async () => {
  server = new Server(0);
  list = new ResultList(FILTER, server.read);
  await list.refresh();
  expect(list.results).toMatchObject({ items: [], isRead: true, hasMore: false, isLoading: false });
  server.add(1);
  await list.refresh();
  expect(ids()).toEqual(["img_1"]);
});

test("expired links are renewed in their places", async () => {
  server.tasks = server.tasks.map((one) => ({ ...one, thumbnail_url: `${one.thumbnail_url}?fresh` }));
  await list.renewLinks();
  expect(list.results.items[99]?.thumbnail_url).toBe(`/t/${1000 - 99}?fresh`);
  server.asked = [];
  await list.renewLinks();
  expect(server.asked).toEqual([]);
});
