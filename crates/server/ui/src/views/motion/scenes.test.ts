import { expect, test } from "vitest";
import { Problem } from "../../api/problems";
import { errorsWithin, faultyScenes, namesOfScenes, remainingErrors, standingErrors } from "./field-errors";
import { countParts, type FinishedParts, partKey, partOf, sameSpans, statesOf } from "./parts";
import { copyOf, insertAfter, isBlank, moveBy, moveTo, newScene, newVideo, type SceneDraft, storedDraft } from "./scene-draft";
import { bodyForInfo, bodyOf, draftOfBody, draftOfFile, fileOf } from "./scene-file";

function scene(id: string, change: Partial<SceneDraft> = {}): SceneDraft {
  return { ...newScene(), id, prompt: id, ...change };
}

const ids = (scenes: readonly SceneDraft[]) => scenes.map(({ id }) => id).join("");
const abcd = ["a", "b", "c", "d"].map((id) => scene(id));

test("scenes are moved, one or several", () => {
  expect(ids(moveTo(abcd, new Set(["a"]), "c", "after"))).toBe("bcad");
  expect(ids(moveTo(abcd, new Set(["d"]), "a", "before"))).toBe("dabc");
  expect(ids(moveTo(abcd, new Set(["a", "c"]), "d", "after"))).toBe("bdac");
  expect(ids(moveTo(abcd, new Set(["a"]), "a", "before"))).toBe("abcd");
  expect(ids(moveBy(abcd, "b", -1))).toBe("bacd");
  expect(ids(moveBy(abcd, "b", 1))).toBe("acbd");
  expect(ids(moveBy(abcd, "d", 1))).toBe("abcd");
});

test("an added scene goes on like the one before it, and leaves the others' seeds alone", () => {
  const before = scene("x", { duration: 5, join: "cut", moves: true });
  const added = newScene(before);
  expect(added).toMatchObject({ prompt: "", duration: 5, join: "cut", moves: true });
  const scenes = insertAfter(abcd, "b", added);
  expect(scenes.map(({ seed }) => seed)).toEqual([abcd[0]?.seed, abcd[1]?.seed, added.seed, abcd[2]?.seed, abcd[3]?.seed]);
  expect(copyOf(before).seed).not.toBe(before.seed);
});

test("a fresh video has the fewest scenes that make one, with the schema's defaults", () => {
  const { scenes } = newVideo();
  expect(scenes).toHaveLength(2);
  expect(scenes[0]).toMatchObject({ duration: 3, join: "crossfade", joinFrames: 12, moves: false });
  expect(isBlank(newVideo())).toBe(true);
  expect(isBlank({ ...newVideo(), scenes: abcd })).toBe(false);
});

test("a stored draft comes back; what is not one becomes a fresh video", () => {
  const draft = { ...newVideo(), scenes: [scene("a", { moves: true, negative: "rain" }), scene("b")] };
  expect(storedDraft(JSON.parse(JSON.stringify(draft)))).toEqual(draft);
  for (const broken of [null, 3, "x", {}, { scenes: [] }, { scenes: [{ prompt: 4 }] }, { scenes: {} }]) {
    expect(storedDraft(broken).scenes).toHaveLength(2);
  }
  expect(storedDraft({ scenes: [{ prompt: "a", duration: "long" }], shared: 4 }).scenes[0]).toMatchObject({ prompt: "a", duration: 3 });
});

test("the body names every scene's seed, and motion only of moving ones", () => {
  const motion = { ...newScene().motion, motion_bucket_id: 200 };
  const draft = {
    ...newVideo(),
    scenes: [scene("a", { seed: 5, motion }), scene("b", { seed: 9, motion, moves: true, negative: "rain" })],
  };
  expect(bodyOf(draft)).toEqual({
    seed: 5,
    scenes: [
      { prompt: "a", duration: 3, seed: 5, source: "still", join: "crossfade", transition_frames: 12 },
      {
        ...{ prompt: "b", negative_prompt: "rain", duration: 3, seed: 9, source: "moving", motion: { motion_bucket_id: 200 } },
        ...{ join: "crossfade", transition_frames: 12 },
      },
    ],
  });
  expect(bodyOf(draft, { width: 128, height: 96 } as never)).toMatchObject({ width: 128, height: 96 });
});

test("the timeline can be asked for before prompts are written", () => {
  const body = bodyForInfo(bodyOf({ ...newVideo(), scenes: [scene("a", { prompt: " " }), scene("b")] }));
  expect(body.scenes.map(({ prompt }) => prompt)).toEqual(["…", "b"]);
});

test("an exported file is read back as it was", () => {
  const shared = { ...newVideo().shared, hero: "a fox", fps: 12, width: 256, height: 128, steps: 4, loras: [{ name: "ink", weight: 0.5 }] };
  const draft = { scenes: [scene("a", { join: "cut" }), scene("b", { moves: true, duration: 1.5 })], shared };
  const read = draftOfFile(fileOf(draft));
  expect(read.shared).toEqual(shared);
  const without = (scenes: readonly SceneDraft[]) => scenes.map(({ id: _, ...rest }) => rest);
  expect(without(read.scenes)).toEqual(without(draft.scenes));
});

test("the README's file of scenes is read as the server reads it", () => {
  const { scenes, shared } = draftOfBody({
    scenes: [
      "a peaceful sunrise over mountains with mist",
      { prompt: "a desert at sunset with cacti", duration: 2, seed: 3, join: "cut" },
      { prompt: "a beach at noon with boats", duration: 1, seed: -1, motion: { motion_bucket_id: 200 } },
    ],
    ...{ fps: 24, width: 512, height: 512, transition_frames: 6, join: "slerp", seed: 40, duration_per_scene: 4 },
  });
  expect(shared).toMatchObject({ fps: 24, width: 512, height: 512 });
  expect(scenes[0]).toMatchObject({ duration: 4, seed: 40, join: "slerp", joinFrames: 6, moves: false });
  expect(scenes[1]).toMatchObject({ duration: 2, seed: 3, join: "cut", moves: false });
  expect(scenes[2]).toMatchObject({ moves: true, motion: { motion_bucket_id: 200 } });
  expect(scenes[2]?.seed).toBeGreaterThanOrEqual(0);
});

test("a file that is none is refused with what to do", () => {
  expect(() => draftOfFile("no")).toThrow("not JSON");
  expect(() => draftOfFile("[]")).toThrow('no list "scenes"');
  expect(() => draftOfFile('{"scenes": []}')).toThrow("empty");
  expect(() => draftOfFile('{"scenes": ["a", {"duration": 3}]}')).toThrow("Scene 2 has no prompt");
});

const part = (kind: "scene" | "join", scene: number, cached: boolean, frames = 10, join: string | null = null) => ({
  ...{ kind, scene, start_frame: 0, frames, start_seconds: 0, seconds: 1, cached, join, seed: null },
});
const timeline = [
  part("scene", 0, true),
  part("join", 0, false, 5, "crossfade"),
  part("scene", 1, false),
  part("join", 1, true, 0, "cut"),
  part("scene", 2, true),
];

test("cuts are neither made nor kept", () => {
  expect(countParts(timeline)).toEqual({ made: 2, kept: 2 });
  expect(statesOf(timeline, ["a", "b", "c"], null)).toEqual(["kept", "new", "new", "cut", "kept"]);
});

test("parts of a video in the making are followed by their scenes", () => {
  const finished: FinishedParts = new Map([
    [partKey({ kind: "scene", scene: 0 }), { kind: "scene", scene: 0, reused: true, still: null }],
    [partKey({ kind: "join", scene: 0 }), { kind: "join", scene: 0, reused: false, still: null }],
  ]);
  const video = { taskId: "v", request: "", sceneIds: ["a", "b", "c"], timeline, fps: 24 };
  const running = { video, finished, hasStarted: true };
  expect(statesOf(timeline, ["a", "b", "c"], running)).toEqual(["reused", "made", "running", "cut", "waiting"]);
  // A scene that was added meanwhile is of the next video.
  expect(statesOf(timeline, ["a", "x", "b"], running)).toEqual(["reused", "new", "new", "cut", "running"]);
  expect(statesOf(timeline, ["a", "b", "c"], { ...running, finished: new Map(), hasStarted: false })).toEqual([
    ...["waiting", "waiting", "waiting", "cut", "waiting"],
  ]);
});

test("a part's event says what is finished", () => {
  const data = { task_id: "v", part: 2, kind: "scene", scene: 1, reused: true, still_url: "data:image/jpeg;base64,AQ==" };
  expect(partOf({ kind: "part", data })).toEqual({ kind: "scene", scene: 1, reused: true, still: "data:image/jpeg;base64,AQ==" });
  expect(partOf({ kind: "part", data: { task_id: "img", part: 0 } })).toBeNull();
  expect(partOf({ kind: "progress", data })).toBeNull();
});

test("timelines are the same if their parts have the same frames", () => {
  expect(sameSpans(timeline, [...timeline])).toBe(true);
  expect(sameSpans(timeline, timeline.slice(1))).toBe(false);
  expect(sameSpans(timeline, [part("scene", 0, true, 11), ...timeline.slice(1)])).toBe(false);
  expect(sameSpans(null, timeline)).toBe(false);
});

test("errors stand beside their fields until those are changed", () => {
  const sent = { fps: 500, scenes: [{ prompt: "" }, { prompt: "b", motion: { motion_bucket_id: 0 } }] };
  const fields = new Map([
    ["fps", "Too large"],
    ["scenes.0.prompt", "Too short"],
    ["scenes.1.motion.motion_bucket_id", "Too small"],
    ["unheard", "Strange"],
  ]);
  const problem = new Problem(422, "", fields);
  const errors = standingErrors(problem, sent, { ...sent, scenes: [{ prompt: "now" }, sent.scenes[1]] });
  expect([...errors.keys()]).toEqual(["fps", "scenes.1.motion.motion_bucket_id", "unheard"]);
  expect(errorsWithin(errors, "scenes.1").get("motion.motion_bucket_id")).toBe("Too small");
  expect(faultyScenes(problem.fields)).toEqual([0, 1]);
  expect(namesOfScenes([0, 2, 3])).toBe("Scenes 1, 3 and 4");
  expect(remainingErrors(errors, [problem, new Problem(503, "The queue is full."), null], (field) => field !== "unheard")).toBe(
    "unheard: Strange The queue is full.",
  );
});
