import { type KeyboardEvent, useState } from "react";
import { FileTrigger } from "react-aria-components";
import { fact } from "../../api/limits";
import { messageOf } from "../../api/problems";
import { Button, confirm, ErrorMessage, IconButton, Menu, toast } from "../../components";
import { errorsWithin, faultyScenes, fieldsOf, focusFault, namesOfScenes, remainingErrors } from "./field-errors";
import { forecast, seconds, usePlayhead } from "./Player";
import { counted, countParts, sameSpans, statesOf } from "./parts";
import { SceneEditor } from "./SceneEditor";
import { SceneList } from "./SceneList";
import { ScenesStage } from "./ScenesStage";
import { SharedSettings } from "./SharedSettings";
import { copyOf, insertAfter, isBlank, moveBy, moveTo, newScene, newVideo, randomSeed } from "./scene-draft";
import { draftOfFile, fileOf } from "./scene-file";
import { Timeline } from "./Timeline";
import { type Draft, staleScenes, useScenes } from "./useScenes";

const SCHEMA = "GenerateVideoRequest";

/** Makes a video of scenes. What is made of each is kept by the server, so that a change makes only what it concerns. */
export function ScenesTab({ state }: { state: Draft }) {
  const { draft, setDraft, selected, select, setScenes, setScene, setShared } = state;
  const { scenes, shared } = draft;
  const server = useScenes(state);
  const { info, made, followed, finished, stills, generate, errors, body } = server;
  const [video, setVideo] = useState<HTMLVideoElement | null>(null);
  const time = usePlayhead(video);

  const timeline = info?.timeline ?? [];
  const fps = info === undefined ? null : Number(info.fps);
  const total = info === undefined ? 0 : Number(info.total_duration_seconds);
  const isRunning = followed?.isRunning === true;
  const hasVideo = video !== null && made !== null && made.fps === fps && sameSpans(made.timeline, timeline);
  const sceneIds = scenes.map(({ id }) => id);
  const states = statesOf(
    timeline,
    sceneIds,
    isRunning && made !== null ? { video: made, finished, hasStarted: followed.status === "processing" } : null,
  );
  const faulty = faultyScenes(errors);
  const index = Math.max(
    scenes.findIndex(({ id }) => id === selected),
    0,
  );
  const scene = scenes[index];
  const mostScenes = fact(SCHEMA, "scenes").maxItems ?? Number.POSITIVE_INFINITY;

  const add = () => {
    const scene = newScene(scenes.at(-1));
    setScenes((before) => insertAfter(before, null, scene));
    select(scene.id);
  };
  const copy = (id: string) => {
    const original = scenes.find((scene) => scene.id === id);
    if (original === undefined) return;
    const scene = copyOf(original);
    setScenes((before) => insertAfter(before, id, scene));
    select(scene.id);
  };
  const remove = (id: string) => {
    const at = scenes.findIndex((scene) => scene.id === id);
    const before = draft;
    setScenes((scenes) => scenes.filter((scene) => scene.id !== id));
    const next = scenes[at + 1] ?? scenes[at - 1];
    if (id === selected && next !== undefined) select(next.id);
    toast(`Scene ${at + 1} removed.`, { action: { label: "Undo", onPress: () => setDraft(before) } });
  };
  const spread = (id: string) => {
    const from = scenes.find((scene) => scene.id === id);
    if (from === undefined) return;
    const { duration, moves, motion, join, joinFrames } = from;
    const before = draft;
    setScenes((scenes) => scenes.map((scene) => ({ ...scene, duration, moves, motion, join, joinFrames })));
    toast("All scenes have this length, motion and transition.", { action: { label: "Undo", onPress: () => setDraft(before) } });
  };
  const reseed = () => setScenes((scenes) => scenes.map((scene) => (scene.isSeedLocked ? scene : { ...scene, seed: randomSeed() })));
  const clear = async () => {
    const answer =
      isBlank(draft) || (await confirm({ title: "Start anew?", text: "All scenes are removed.", action: "Start anew", isDanger: true }));
    if (!answer) return;
    const fresh = newVideo();
    setDraft(fresh);
    server.setMade(null);
  };
  const importFile = async (file: File | undefined) => {
    if (file === undefined) return;
    try {
      const before = draft;
      const imported = draftOfFile(await file.text());
      setDraft(imported);
      toast(`${counted(imported.scenes.length, "scene")} from ${file.name}.`, {
        action: { label: "Undo", onPress: () => setDraft(before) },
      });
    } catch (error) {
      toast(messageOf(error), { tone: "error" });
    }
  };
  const exportFile = () => {
    const url = URL.createObjectURL(new Blob([fileOf(draft, server.model)], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = "scenes.json";
    // Firefox follows only links of the page, and reads the address a moment later.
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  const go = () => {
    if (generate.isPending || isRunning) return;
    generate.mutate(body, {
      onError: (error) => {
        const first = faultyScenes(fieldsOf(error))[0];
        const id = first === undefined ? undefined : scenes[first]?.id;
        if (id !== undefined) select(id);
        focusFault();
      },
    });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    go();
  };

  const { made: toMake, kept } = countParts(timeline);
  const estimate = info?.estimated_generation_time_seconds;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a shortcut of the whole view; the button does the same.
    <div className="motion-columns" onKeyDown={onKeyDown}>
      <div className="motion-stage">
        <ScenesStage
          made={made}
          followed={followed}
          finished={finished}
          still={scene === undefined ? undefined : stills[scene.id]}
          width={Number(body.width ?? 16)}
          height={Number(body.height ?? 9)}
          onVideo={setVideo}
          isEdited={made !== null && made.request !== JSON.stringify(body)}
        />
        {timeline.length > 0 && fps !== null && (
          <Timeline
            timeline={timeline}
            states={states}
            scenes={scenes}
            stills={stills}
            selected={selected}
            onSelect={select}
            time={hasVideo ? time : null}
            onSeek={(to) => {
              if (video !== null) video.currentTime = to;
            }}
            total={total}
            fps={fps}
          />
        )}
        <ErrorMessage>{faulty.length === 0 ? null : `${namesOfScenes(faulty)}: see beside the fields.`}</ErrorMessage>
        <ErrorMessage>{remainingErrors(errors, [generate.error, server.error], (field) => isShown(field, scenes.length))}</ErrorMessage>
        {server.models.error !== null && <ErrorMessage>{messageOf(server.models.error)}</ErrorMessage>}
        <div className="motion-actions">
          <p className="grow numbers">
            {info !== undefined && (
              <>
                <strong>{seconds(total)}</strong> · {counted(Number(info.total_frames), "frame")}
                <span className="motion-rate"> at {fps} a second</span>
                <span className="motion-forecast">
                  {toMake === 0 ? `Nothing to make, ${counted(kept, "part")} kept` : `${counted(toMake, "part")} to make, ${kept} kept`}
                  {typeof estimate === "number" && ` · ${forecast(estimate)}`}
                </span>
              </>
            )}
          </p>
          <Button variant="primary" icon="sparkle" onPress={go} isPending={generate.isPending} isDisabled={isRunning}>
            Generate
          </Button>
        </div>
      </div>
      <div className="motion-form">
        <div className="motion-head">
          <h2 className="grow">Scenes</h2>
          <IconButton icon="dice" label="New seeds for scenes that are not locked" onPress={reseed} />
          <FileTrigger acceptedFileTypes={["application/json", ".json"]} onSelect={(files) => importFile(files?.[0])}>
            <IconButton icon="upload" label="Import scenes from a file" />
          </FileTrigger>
          <IconButton icon="download" label="Export scenes to a file" onPress={exportFile} />
          <Menu label="Video" entries={[{ id: "clear", label: "Start anew", icon: "trash", isDanger: true, onAction: () => void clear() }]}>
            <IconButton icon="more" label="More" />
          </Menu>
        </div>
        <SceneList
          scenes={scenes}
          selected={selected}
          onSelect={select}
          stills={stills}
          stale={staleScenes(timeline, scenes)}
          faulty={faulty}
          timeline={timeline}
          mostScenes={mostScenes}
          onAdd={add}
          onCopy={copy}
          onRemove={remove}
          onMoveBy={(id, by) => setScenes((scenes) => moveBy(scenes, id, by))}
          onMoveTo={(moved, target, place) => setScenes((scenes) => moveTo(scenes, moved, target, place))}
        />
        {scene !== undefined && (
          <SceneEditor
            key={scene.id}
            scene={scene}
            index={index}
            isLast={index === scenes.length - 1}
            sharedNegative={shared.negative}
            fps={fps}
            models={server.models.data}
            onChange={(change) => setScene(scene.id, change)}
            onSpread={() => spread(scene.id)}
            errors={errorsWithin(errors, `scenes.${index}`)}
          />
        )}
        <SharedSettings
          shared={shared}
          onChange={setShared}
          model={server.model}
          models={server.models.data}
          usualFps={fps}
          errors={errors}
        />
      </div>
    </div>
  );
}

const SHARED = new Set([
  ...["hero_description", "negative_prompt", "fps", "width", "height", "num_inference_steps", "guidance_scale"],
  ...["scheduler", "model", "vae", "prompt_syntax"],
]);

/** Whether a field shows its fault. Those of scenes are named above the button, because only the selected scene is open. */
function isShown(field: string, scenes: number): boolean {
  const index = /^scenes\.(\d+)\./.exec(field)?.[1];
  return index === undefined ? SHARED.has(field) || field.startsWith("loras.") : Number(index) < scenes;
}
