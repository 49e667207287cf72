import { QueryClient } from "@tanstack/react-query";
import { beforeEach, expect, test, vi } from "vitest";
import { followEvents } from "./events";
import { keys } from "./queries";
import { currentSession, signIn } from "./session";
import { TaskStore } from "./task-store";

let store: TaskStore;

beforeEach(() => {
  store = new TaskStore(new QueryClient());
});

test("events and previews add up to the state of a task", () => {
  store.apply({ kind: "queued", data: { task_id: "a", status: "pending" } });
  store.apply({ kind: "started", data: { task_id: "a", status: "processing" } });
  store.apply({ kind: "progress", data: { task_id: "a", status: "processing", progress: 40, step: 4, steps: 10 } });
  store.apply({ kind: "preview", data: { task_id: "a", image: "data:image/png;base64,AQ==", width: 96, height: 64, step: 5, steps: 10 } });
  expect(store.get("a")).toMatchObject({ status: "processing", progress: 40, step: 5, steps: 10, preview: { width: 96 } });
});

test("the last event brings the whole task, and drops the preview", async () => {
  const task = { task_id: "a", status: "completed" } as never;
  store.apply({ kind: "preview", data: { task_id: "a", image: "data:,", width: 1, height: 1 } });
  store.apply({ kind: "completed", data: { task_id: "a", status: "completed", progress: 100, task } });
  expect(store.get("a")).toMatchObject({ status: "completed", progress: 100, preview: undefined });
  await vi.waitFor(() => expect(store.queries.getQueryData(keys.task("a"))).toBe(task));
  store.apply({ kind: "preview", data: { task_id: "a", image: "data:,", width: 1, height: 1 } });
  expect(store.get("a")?.preview).toBeUndefined();
});

test("an answer from before the last event does not replace it", async () => {
  const task = { task_id: "a", status: "completed" } as never;
  let answer: (older: unknown) => void = () => undefined;
  const older = new Promise((resolve) => {
    answer = resolve;
  });
  const reading = store.queries.fetchQuery({ queryKey: keys.task("a"), queryFn: () => older }).catch(() => undefined);
  store.apply({ kind: "completed", data: { task_id: "a", status: "completed", task } });
  answer({ task_id: "a", status: "processing" });
  await reading;
  await vi.waitFor(() => expect(store.queries.getQueryData(keys.task("a"))).toBe(task));
});

test("a task that starts over has none of its parts", () => {
  store.apply({ kind: "part", data: { task_id: "a", status: "processing", progress: 50, part: 1 } });
  expect(store.get("a")?.partEvents).toHaveLength(1);
  store.apply({ kind: "requeued", data: { task_id: "a", status: "pending" } });
  expect(store.get("a")).toMatchObject({ status: "pending", progress: 0, partEvents: [] });
});

test("a forgotten task is gone", () => {
  store.apply({ kind: "queued", data: { task_id: "a", status: "pending" } });
  store.apply({ kind: "forgotten", data: { task_id: "a" } });
  expect(store.get("a")).toBeUndefined();
});

/** A server whose stream sends `chunks`, and then stays open. */
function streaming(...chunks: string[]) {
  return async () =>
    new Response(
      new ReadableStream({
        start(controller) {
          for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        },
      }),
      { headers: { "Content-Type": "text/event-stream" } },
    );
}

test("the stream resumes after the last event, also when a chunk ends within one", async () => {
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(
      streaming(
        'id: 7\nevent: hello\ndata: {"last_event_id": 7}\n\nid: 8\nevent: que',
        'ued\ndata: {"task_id": "a", "status": "pending"}\n\n',
      ),
    );
  const events: string[] = [];
  const follow = () => followEvents({ onEvent: ({ kind }) => events.push(kind), onOpen: () => undefined, onConnection: () => undefined });
  const stop = follow();
  await vi.waitFor(() => expect(events).toEqual(["queued"]));
  stop();
  const again = follow();
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledTimes(2));
  again();
  const request = fetched.mock.calls[1]?.[0];
  expect(request instanceof Request && request.headers.get("Last-Event-ID")).toBe("8");
});

test("without a key the stream waits for one, and then sends it", async () => {
  const stream = streaming();
  const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(async (request) => {
    const isSignedIn = (request as Request).headers.get("Authorization") === "Bearer secret";
    return isSignedIn ? stream() : new Response("{}", { status: 401 });
  });
  const connections: string[] = [];
  const stop = followEvents({ onEvent: () => undefined, onOpen: () => undefined, onConnection: (state) => connections.push(state) });
  await vi.waitFor(() => expect(connections).toContain("closed"));
  expect(currentSession().isKeyNeeded).toBe(true);
  expect(fetched).toHaveBeenCalledTimes(1);
  signIn("secret");
  await vi.waitFor(() => expect(connections.at(-1)).toBe("open"));
  stop();
});
