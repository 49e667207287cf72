import { expect, test } from "vitest";
import { stateText, taskState } from "./task-state";

const waiting = { status: "pending" as const, progress: 0, message: "", queue_position: 2, eta_seconds: 240 };
const live = { status: "processing" as const, progress: 40, step: 4, steps: 10, partEvents: [] };

test("events are ahead of the server's last answer", () => {
  const state = taskState(waiting, live);
  expect(state).toMatchObject({ status: "processing", progress: 40, step: 4 });
  expect(taskState({ ...waiting, status: "processing" }, { ...live, status: "pending", progress: 0 }).status).toBe("processing");
});

test("an ended task stays ended", () => {
  expect(taskState({ ...waiting, status: "completed", progress: 100 }, live)).toMatchObject({ status: "completed", progress: 100 });
  expect(taskState({ ...waiting, status: "processing" }, { ...live, status: "failed" }).status).toBe("failed");
});

test("the state in a few words", () => {
  expect(stateText(taskState(waiting, undefined))).toBe("Waiting, 2 before it, about 4 min left");
  expect(stateText(taskState({ ...waiting, queue_position: 0, eta_seconds: null }, undefined))).toBe("Waiting, next");
  expect(stateText(taskState({ ...waiting, eta_seconds: 8 }, live))).toBe("Step 4 of 10, about 8 s left");
  expect(stateText(taskState({ ...waiting, eta_seconds: 0.4 }, live))).toBe("Step 4 of 10, under 1 s left");
  expect(stateText(taskState(undefined, { ...live, part: 1, parts: 3 }))).toBe("Part 2 of 3, Step 4 of 10");
});
