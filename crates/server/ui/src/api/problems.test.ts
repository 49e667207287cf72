import { expect, test, vi } from "vitest";
import { apiFetch } from "./client";
import { otherErrors, problemOf } from "./problems";
import { currentSession, signIn } from "./session";

test("a field's faults stand under its place, in the server's words", () => {
  const detail = [
    { type: "less_than_equal", loc: ["body", "steps"], msg: "Input should be less than or equal to 150", input: 151 },
    { type: "value_error", loc: ["body", "loras", 0, "name"], msg: "Value error, there is no adapter 'x'", input: "x" },
  ];
  const problem = problemOf(422, { detail });
  expect(problem.fields.get("steps")).toBe("Input should be less than or equal to 150");
  expect(problem.fields.get("loras.0.name")).toBe("there is no adapter 'x'");
  expect(otherErrors(problem, (field) => field === "steps")).toBe("loras.0.name: there is no adapter 'x'");
  expect(otherErrors(problem, () => true)).toBeNull();
});

test("a sentence is the message, and any other body names the status", () => {
  expect(problemOf(429, { detail: "The queue is full" }, "7")).toMatchObject({ message: "The queue is full", retryAfter: 7, status: 429 });
  expect(problemOf(502, "<html>").message).toBe("The server answered with status 502.");
  expect(otherErrors(problemOf(409, { detail: "Task a has ended" }), () => true)).toBe("Task a has ended");
});

test("a key that no header can hold is refused as a wrong one", async () => {
  signIn("ключ");
  const fetched = vi.spyOn(globalThis, "fetch");
  await expect(apiFetch(new Request("http://localhost/models"))).rejects.toThrow("The server does not know this key.");
  expect(fetched).not.toHaveBeenCalled();
  expect(currentSession()).toMatchObject({ key: null, isKeyNeeded: true, isKeyWrong: true });
});
