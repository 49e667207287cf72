import { useMutation } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect } from "react";
import { localUrl } from "../../api/base";
import { messageOf, NO_ERRORS, otherErrors, Problem } from "../../api/problems";
import { submit, useModels } from "../../api/queries";
import { useErrorWhenGone } from "../../app/error-when-gone";
import { type Handoff, useHandoff } from "../../app/handoff";
import { useKept } from "../../app/kept";
import { usePersistent } from "../../app/persistent";
import { ErrorMessage, fetchImage, type GivenImage, readImage, toast, usePastedImage } from "../../components";
import { ControlsPanel } from "./ControlsPanel";
import { HiresPanel, usualHiresScale } from "./HiresPanel";
import { LorasPanel } from "./LorasPanel";
import { PromptPanel } from "./PromptPanel";
import type { PanelProps } from "./panel";
import { type GivenPictures, NO_PICTURES, requestOf, resultSize } from "./request";
import { ModelPanel, SamplingPanel } from "./SamplingPanel";
import { SizePanel } from "./SizePanel";
import { Stage } from "./Stage";
import { StartPanel } from "./StartPanel";
import { type ImageSettings, randomSeed, settingsOfRequest, storedSettings } from "./settings";
import { useShown } from "./shown";
import "./image.css";

/** Makes images: the prompt first, everything else behind it. */
export default function ImageView() {
  const [settings, setSettings] = usePersistent("image", storedSettings);
  const [pictures, setAllPictures] = useKept<GivenPictures>("image-pictures", NO_PICTURES);
  const models = useModels();
  const [shown, show] = useShown();
  const set = (change: Partial<ImageSettings>) => setSettings((before) => ({ ...before, ...change }));
  const setPictures = (change: Partial<GivenPictures>) => {
    setAllPictures((before) => ({ ...before, ...change }));
    if (change.start === null && settings.shape === "picture") set({ shape: "square" });
  };

  const imageModels = models.data?.models.filter(({ kind }) => kind === "image") ?? [];
  const named = imageModels.find(({ name }) => name === settings.model);
  const model = named ?? imageModels.find((candidate) => candidate.default) ?? imageModels[0];
  const isModelGone = models.data !== undefined && settings.model !== null && named === undefined;
  useEffect(() => {
    // A model that the server no longer has: its default one takes its place.
    if (isModelGone) setSettings((before) => ({ ...before, model: null, scheduler: null, vae: null }));
  }, [isModelGone, setSettings]);

  const sayIfGone = useErrorWhenGone();
  const generate = useMutation({
    meta: { showsErrors: true },
    mutationFn: async () => {
      const seed = settings.isSeedLocked ? settings.seed : randomSeed();
      set({ seed });
      const size = resultSize(settings, pictures, model, usualHiresScale());
      const ids: string[] = [];
      for (let index = 0; index < settings.count; index += 1) {
        const { path, body } = requestOf(settings, pictures, size, seed + index);
        const submitted = await submit(path, body).catch((error: unknown) => {
          if (ids.length > 0) toast(`${ids.length} of ${settings.count} images are in the queue`);
          throw error;
        });
        ids.push(submitted.task_id);
        show([...ids]);
        for (const remark of index === 0 ? submitted.remarks : []) toast(remark);
      }
    },
    // Once the fields show their faults.
    onError: (error) => {
      sayIfGone(error);
      setTimeout(() => document.querySelector<HTMLElement>('.image [aria-invalid="true"]')?.focus(), 50);
    },
  });

  const start = (image: GivenImage) => {
    setAllPictures((before) => ({ ...before, start: image, mask: null }));
    set({ shape: "picture" });
  };
  usePastedImage((file) => {
    readImage(file).then(start, (error) => toast(messageOf(error), { tone: "error" }));
  });
  useHandoff("image", (handoff) => void receive(handoff));
  const receive = async ({ request, pictures: given = [] }: Handoff) => {
    if (request !== undefined) {
      setSettings(settingsOfRequest(request));
      setAllPictures(NO_PICTURES);
      const needs = request.needs ?? [];
      if (needs.length > 0 && given.length === 0) toast("This image was made from a picture, which is not kept. Add it again.");
    }
    for (const { role, url, name } of given) {
      try {
        const image = await fetchImage(localUrl(url), name);
        if (role === "image") start(image);
        else addControl(image);
      } catch (error) {
        toast(messageOf(error), { tone: "error" });
      }
    }
  };
  const addControl = (image: GivenImage) => {
    const name = models.data?.controlnets[0];
    if (name === undefined) return;
    const control = { name, image, weight: 1, start: 0, end: 1, preprocessor: "none" };
    setAllPictures((before) => ({ ...before, controls: [...before.controls, { ...control, id: before.controls.length + 1 }] }));
  };

  const error = generate.error ?? null;
  const errors = error instanceof Problem ? error.fields : NO_ERRORS;
  const panel: PanelProps = { settings, set, pictures, setPictures, model, models: models.data, errors };
  const go = () => {
    if (!generate.isPending) generate.mutate();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    go();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a shortcut of the whole view; the button does the same.
    <div className="image" onKeyDown={onKeyDown}>
      <h1 className="visually-hidden">Image</h1>
      <PromptPanel {...panel} onGenerate={go} isPending={generate.isPending}>
        <ErrorMessage>{otherErrors(error, (field) => isShown(field, panel))}</ErrorMessage>
        {models.error !== null && <ErrorMessage>{messageOf(models.error)}</ErrorMessage>}
      </PromptPanel>
      <div className="image-settings">
        <SizePanel {...panel} />
        <ModelPanel {...panel} />
        <SamplingPanel {...panel} />
        <StartPanel {...panel} onStart={start} />
        <ControlsPanel {...panel} />
        <LorasPanel {...panel} />
        <HiresPanel {...panel} />
      </div>
      <Stage
        shown={shown}
        onShow={show}
        onUse={(request) => setSettings(settingsOfRequest(request))}
        onStart={start}
        onSeed={(seed) => set({ seed, isSeedLocked: true })}
      />
    </div>
  );
}

const SIMPLE = new Set([
  ...["prompt", "negative_prompt", "width", "height", "steps", "cfg_scale", "seed", "scheduler", "model", "vae", "prompt_syntax"],
  ...["refiner", "hires.scale", "hires.strength", "hires.steps", "hires.upscaler"],
]);
const WITH_PICTURE = new Set(["image", "strength", "reference_weight", "mask"]);
const WITH_MASK = new Set(["mask_fill", "mask_blur"]);

/** Whether the form shows the field's fault beside it. Others stand under the button. */
function isShown(field: string, { settings, pictures, models }: PanelProps): boolean {
  if (SIMPLE.has(field)) return true;
  if (WITH_PICTURE.has(field)) return pictures.start !== null;
  if (WITH_MASK.has(field)) return pictures.mask !== null;
  if (field === "mask_padding") return pictures.mask !== null && settings.maskOnly;
  if (field === "refiner_switch") return settings.refiner !== null;
  const [list, index, name] = field.split(".");
  if (list === "loras") return index === undefined || Number(index) < (settings.loras?.length ?? 0);
  if (list === "controlnets") {
    return (
      (models?.controlnets.length ?? 0) > 0 && (index === undefined || (name !== undefined && Number(index) < pictures.controls.length))
    );
  }
  return false;
}
