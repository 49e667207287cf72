import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { localUrl } from "../../api/base";
import { submit, useModels } from "../../api/queries";
import { hasEnded, type Model } from "../../api/types";
import { useErrorWhenGone } from "../../app/error-when-gone";
import { useKept } from "../../app/kept";
import { usePersistent } from "../../app/persistent";
import { toast } from "../../components";
import { standingErrors } from "./field-errors";
import { type FinishedParts, type isCut, type MadeVideo, storedVideo, useFinishedParts } from "./parts";
import { type SceneDraft, type SharedDraft, storedDraft, text, type VideoDraft } from "./scene-draft";
import { bodyOf } from "./scene-file";
import { useFollowedTask } from "./useFollowedTask";
import { INFO, useVideoInfo } from "./useVideoInfo";

/** The draft of a video of scenes. This browser keeps it. */
export function useDraft() {
  const [draft, setDraft] = usePersistent("motion.scenes", storedDraft);
  const [chosen, select] = usePersistent<string | null>("motion.scene", text);
  const selected = draft.scenes.find(({ id }) => id === chosen) ?? draft.scenes[0];
  return {
    draft,
    setDraft,
    selected: selected?.id ?? "",
    select: select as (id: string) => void,
    setScenes: (change: (scenes: readonly SceneDraft[]) => readonly SceneDraft[]) =>
      setDraft((before) => ({ ...before, scenes: change(before.scenes) })),
    setScene: (id: string, change: Partial<SceneDraft>) =>
      setDraft((before) => ({ ...before, scenes: before.scenes.map((scene) => (scene.id === id ? { ...scene, ...change } : scene)) })),
    setShared: (change: Partial<SharedDraft>) => setDraft((before) => ({ ...before, shared: { ...before.shared, ...change } })),
  };
}

export type Draft = ReturnType<typeof useDraft>;

/** The model that a draft names, else the server's default one. */
function modelOf({ shared }: VideoDraft, models: readonly Model[]): Model | undefined {
  const images = models.filter(({ kind }) => kind !== "motion");
  return images.find(({ name }) => name === shared.model) ?? images.find((model) => model.default) ?? images[0];
}

/** The server's side of a draft: what the video will be, the one that was asked for last, and the faults. */
export function useScenes({ draft, setDraft }: Draft) {
  const queries = useQueryClient();
  const models = useModels();
  const model = modelOf(draft, models.data?.models ?? []);
  const body = bodyOf(draft, model);
  const video = useVideoInfo(body);
  const [made, setMade] = usePersistent<MadeVideo | null>("motion.video", storedVideo);
  const followed = useFollowedTask(made?.taskId ?? null);
  const finished = useFinishedParts(made?.taskId ?? null);
  const stills = useStills(made, finished);

  const isGone = models.data !== undefined && draft.shared.model !== null && model?.name !== draft.shared.model;
  useEffect(() => {
    // A model that the server no longer has: its default one takes its place.
    if (isGone) setDraft((before) => ({ ...before, shared: { ...before.shared, model: null, scheduler: null, vae: null } }));
  }, [isGone, setDraft]);

  const { info, isCurrent } = video;
  const request = JSON.stringify(body);
  useEffect(() => {
    // The answer may come after the request was sent.
    if (info === undefined || !isCurrent) return;
    const answered = { timeline: info.timeline, fps: Number(info.fps) };
    setMade((before) => (before !== null && before.timeline === null && before.request === request ? { ...before, ...answered } : before));
  }, [info, isCurrent, request, setMade]);

  const hasResult = followed !== null && hasEnded(followed.status);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another task that ended has left other parts.
  useEffect(() => {
    // What is kept has changed.
    if (hasResult) void queries.invalidateQueries({ queryKey: [INFO] });
  }, [hasResult, made?.taskId, queries]);

  const sayIfGone = useErrorWhenGone();
  const generate = useMutation({
    meta: { showsErrors: true },
    onError: sayIfGone,
    mutationFn: async (sent: ReturnType<typeof bodyOf>) => {
      const submitted = await submit("/generate-video", sent);
      const info = video.isCurrent ? video.info : undefined;
      setMade({
        taskId: submitted.task_id,
        request: JSON.stringify(sent),
        sceneIds: draft.scenes.map(({ id }) => id),
        timeline: info?.timeline ?? null,
        fps: info === undefined ? null : Number(info.fps),
      });
      for (const remark of submitted.remarks) toast(remark);
      void queries.invalidateQueries({ queryKey: ["tasks"] });
    },
  });

  const sent = generate.variables;
  const errors = useMemo(() => {
    const ofInfo = standingErrors(video.error, JSON.parse(video.asked), body);
    return new Map([...ofInfo, ...standingErrors(generate.error, sent, body)]);
  }, [video.error, video.asked, generate.error, sent, body]);

  return { models, model, body, ...video, made, setMade, followed, finished, stills, generate, errors };
}

/** The newest small picture of each scene, by the scenes' ids. */
function useStills(made: MadeVideo | null, finished: FinishedParts): Readonly<Record<string, string>> {
  const [stills, setStills] = useKept<Readonly<Record<string, string>>>("motion-stills", {});
  useEffect(() => {
    if (made === null) return;
    const fresh = [...finished.values()].flatMap(({ kind, scene, still }) => {
      const id = made.sceneIds[scene];
      return kind === "scene" && still !== null && id !== undefined ? [[id, localUrl(still)] as const] : [];
    });
    const changed = fresh.filter(([id, still]) => stills[id] !== still);
    if (changed.length > 0) setStills((before) => ({ ...before, ...Object.fromEntries(changed) }));
  }, [made, finished, stills, setStills]);
  return stills;
}

/** Scenes that will be made again, so that their pictures are of an earlier version. */
export function staleScenes(timeline: readonly Parameters<typeof isCut>[0][], scenes: readonly SceneDraft[]): ReadonlySet<string> {
  const changed = timeline.filter(({ kind, cached }) => kind === "scene" && !cached);
  return new Set(changed.flatMap(({ scene }) => scenes[scene]?.id ?? []));
}
