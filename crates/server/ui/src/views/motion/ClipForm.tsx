import { bounds, fact } from "../../api/limits";
import type { FieldErrors } from "../../api/problems";
import type { Models } from "../../api/types";
import { DropZone, type GivenImage, GivenPicture, Select, SliderField, TextField } from "../../components";
import { ErrorDisclosure } from "../image/ErrorDisclosure";
import { SHAPES, sizeText } from "../image/shapes";
import { bucketOf, CLIP, type ClipSettings, frameRatio, frameSize, lengthOfRun, usualLonger } from "./clip-settings";
import { cameraChoices } from "./names";
import { SeedField } from "./SeedField";

export interface ClipFormProps {
  settings: ClipSettings;
  set: (change: Partial<ClipSettings>) => void;
  image: GivenImage | null;
  onImage: (image: GivenImage | null) => void;
  models: Models | undefined;
  errors: FieldErrors;
}

/** The picture to set in motion. */
export function ClipPicture({ image, onImage, errors }: ClipFormProps) {
  if (image === null) {
    return (
      <DropZone
        label="Picture to set in motion"
        help="Drop a picture here, paste one, or choose a file."
        onImage={onImage}
        error={errors.get("image")}
      />
    );
  }
  return (
    <div className="stack-tight">
      <GivenPicture image={image} label="Picture to set in motion" onRemove={() => onImage(null)} />
      {errors.has("image") && <span className="field-error">{errors.get("image")}</span>}
    </div>
  );
}

/** How it moves, for how long, and how large. */
export function ClipForm({ settings, set, image, models, errors }: ClipFormProps) {
  const strength = settings.strength ?? Number(fact(CLIP, "motion_strength").default ?? 0.5);
  const fps = settings.fps ?? Number(fact(CLIP, "fps").default ?? 30);
  const run = lengthOfRun(models);
  const { minValue, maxValue } = bounds(CLIP, "duration");
  const size = frameSize(settings, image, models);
  const longer = usualLonger(models, frameRatio(settings, image));
  const images = models?.models.filter(({ kind }) => kind !== "motion") ?? [];
  return (
    <>
      <section className="stack motion-part" aria-label="Motion">
        <SliderField
          label="Motion"
          help={`How much moves (motion bucket ${bucketOf(strength)}).`}
          value={strength}
          onChange={(value) => set({ strength: value })}
          {...bounds(CLIP, "motion_strength")}
          step={0.01}
          error={errors.get("motion_strength")}
        />
        <Select
          label="Camera"
          choices={cameraChoices(fact(CLIP, "camera_motion").values ?? [])}
          value={settings.camera ?? String(fact(CLIP, "camera_motion").default ?? "")}
          onChange={(camera) => set({ camera })}
          error={errors.get("camera_motion")}
        />
        <SliderField
          label="Length in seconds"
          help={
            settings.duration === null
              ? "As long as one run of the model."
              : "Long videos take several runs; each goes on from the last frame of the one before."
          }
          value={settings.duration ?? Math.max(run ?? minValue, minValue)}
          onChange={(value) => set({ duration: value })}
          minValue={minValue}
          maxValue={maxValue}
          step={0.1}
          error={errors.get("duration")}
        />
        <SeedField
          seed={settings.seed}
          isLocked={settings.isSeedLocked}
          onChange={set}
          help={settings.isSeedLocked ? "Locked: the same settings make the same video." : "Drawn anew for each video."}
          error={errors.get("seed")}
        />
      </section>
      <ErrorDisclosure
        title="Size and frame rate"
        summary={`${sizeText(size)} · ${fps} fps`}
        hasError={errors.has("resolution") || errors.has("fps")}
      >
        <Select
          label="Shape"
          choices={[{ value: "picture", label: "Like the picture" }, ...SHAPES.map(({ id, label }) => ({ value: id, label }))]}
          value={settings.shape}
          onChange={(shape) => set({ shape })}
        />
        <SliderField
          label="Longer side in pixels"
          help={models?.motion ? `The model makes about ${longer} pixels; more is enlarged.` : undefined}
          value={settings.longer ?? longer}
          onChange={(value) => set({ longer: value })}
          {...bounds("GenerateVideoRequest", "width")}
          step={2}
          error={errors.get("resolution")}
        />
        <SliderField
          label="Frames per second"
          help="Frames between two of the model's are interpolated."
          value={fps}
          onChange={(value) => set({ fps: value })}
          {...bounds(CLIP, "fps")}
          error={errors.get("fps")}
        />
      </ErrorDisclosure>
      <ErrorDisclosure
        title="Prompt and model"
        summary={settings.prompt.trim() || (images.length > 1 ? (settings.model ?? undefined) : undefined)}
        hasError={errors.has("prompt") || errors.has("model")}
      >
        <TextField
          label="Prompt"
          rows={2}
          value={settings.prompt}
          onChange={(prompt) => set({ prompt })}
          placeholder="The waves roll in"
          help="Guides a service that makes videos, or repaints the picture first if the operator allows that. Otherwise it has no effect, and the result says so."
          error={errors.get("prompt")}
        />
        {images.length > 1 && (
          <Select
            label="Model"
            choices={images.map(({ name, family }) => ({ value: name, label: name, note: family ?? undefined }))}
            value={settings.model ?? images.find((model) => model.default)?.name ?? null}
            onChange={(model) => set({ model })}
            error={errors.get("model")}
          />
        )}
      </ErrorDisclosure>
    </>
  );
}
