import { bounds, fact } from "../../api/limits";
import type { FieldErrors } from "../../api/problems";
import type { Model, Models } from "../../api/types";
import { NumberField, Select, SliderField, TextField } from "../../components";
import { ErrorDisclosure } from "../image/ErrorDisclosure";
import { LoraList } from "./LoraList";
import type { SharedDraft } from "./scene-draft";

const SCHEMA = "GenerateVideoRequest";

export interface SharedSettingsProps {
  shared: SharedDraft;
  onChange: (change: Partial<SharedDraft>) => void;
  /** The chosen model; undefined until the server answered. */
  model: Model | undefined;
  models: Models | undefined;
  /** The frame rate that the server takes if none is set. */
  usualFps: number | null;
  errors: FieldErrors;
}

/** What all scenes share. */
export function SharedSettings(props: SharedSettingsProps) {
  const { shared, onChange, errors } = props;
  const hasError = (...names: string[]) => names.some((name) => errors.has(name));
  return (
    <section aria-label="All scenes">
      <ErrorDisclosure
        title="In every scene"
        summary={shared.hero.trim() || shared.negative.trim() || "no hero"}
        hasError={hasError("hero_description", "negative_prompt")}
        defaultExpanded={shared.hero.trim() !== ""}
      >
        <TextField
          label="Hero"
          rows={2}
          value={shared.hero}
          onChange={(hero) => onChange({ hero })}
          placeholder="A small red fox with a blue scarf"
          help="Put before each scene's prompt, so that a character stays the same."
          error={errors.get("hero_description")}
        />
        <TextField
          label="Negative prompt of all scenes"
          rows={2}
          value={shared.negative}
          onChange={(negative) => onChange({ negative })}
          placeholder="Blurry, text, watermark"
          error={errors.get("negative_prompt")}
        />
      </ErrorDisclosure>
      <SizeSettings {...props} />
      <SamplingSettings {...props} />
      <LoraList
        names={props.models?.adapters ?? []}
        loras={shared.loras ?? []}
        onChange={(loras) => onChange({ loras: loras.length === 0 ? null : loras })}
        errors={errors}
      />
    </section>
  );
}

function SizeSettings({ shared, onChange, model, usualFps, errors }: SharedSettingsProps) {
  const width = shared.width ?? model?.width ?? fact(SCHEMA, "width").default;
  const height = shared.height ?? model?.height ?? fact(SCHEMA, "height").default;
  const fps = shared.fps ?? usualFps;
  // A fraction ("30000/1001") comes from a file; a number replaces it.
  const isFraction = typeof shared.fps === "string";
  return (
    <ErrorDisclosure
      title="Size and frame rate"
      summary={[`${width} × ${height}`, fps === null ? null : `${fps} fps`].filter((text) => text !== null).join(" · ")}
      hasError={["width", "height", "fps"].some((name) => errors.has(name))}
    >
      <div className="motion-grid">
        <NumberField
          label="Width"
          value={shared.width ?? Number.NaN}
          onChange={(value) => onChange({ width: orNull(value) })}
          {...bounds(SCHEMA, "width")}
          step={2}
          placeholder={String(model?.width ?? "")}
          error={errors.get("width")}
        />
        <NumberField
          label="Height"
          value={shared.height ?? Number.NaN}
          onChange={(value) => onChange({ height: orNull(value) })}
          {...bounds(SCHEMA, "height")}
          step={2}
          placeholder={String(model?.height ?? "")}
          error={errors.get("height")}
        />
      </div>
      <p className="field-help">Pictures are made in the model's own size and resized. Other proportions stretch them.</p>
      <NumberField
        label="Frames per second"
        value={typeof shared.fps === "number" ? shared.fps : Number.NaN}
        onChange={(value) => onChange({ fps: orNull(value) })}
        {...bounds(SCHEMA, "fps")}
        placeholder={isFraction ? String(shared.fps) : usualFps === null ? "" : String(usualFps)}
        error={errors.get("fps")}
      />
    </ErrorDisclosure>
  );
}

function SamplingSettings({ shared, onChange, model, models, errors }: SharedSettingsProps) {
  const images = models?.models.filter(({ kind }) => kind !== "motion") ?? [];
  const syntaxes = fact(SCHEMA, "prompt_syntax").values ?? [];
  const steps = shared.steps ?? model?.steps ?? Number(fact(SCHEMA, "num_inference_steps").default);
  const guidance = shared.guidance ?? model?.guidance_scale ?? Number(fact(SCHEMA, "guidance_scale").default);
  const schedulers = model?.schedulers ?? [];
  const choose = (name: string) => {
    const chosen = images.find((candidate) => candidate.name === name);
    // Another model has other steps, sizes and schedulers: its own are a good start.
    onChange({
      ...{ model: chosen?.default ? null : name, steps: null, guidance: null, scheduler: null },
      ...{ width: null, height: null, vae: null, syntax: null },
    });
  };
  return (
    <ErrorDisclosure
      title="Model and steps"
      summary={[model?.name, `${steps} steps`, shared.scheduler].filter(Boolean).join(" · ")}
      hasError={["model", "num_inference_steps", "guidance_scale", "scheduler", "vae", "prompt_syntax"].some((name) => errors.has(name))}
    >
      <Select
        label="Model"
        choices={images.map(({ name, family }) => ({ value: name, label: name, note: family ?? undefined }))}
        value={model?.name ?? null}
        onChange={choose}
        error={errors.get("model")}
      />
      <SliderField
        label="Steps"
        help="More steps take longer and show more detail."
        value={steps}
        onChange={(value) => onChange({ steps: value })}
        {...bounds(SCHEMA, "num_inference_steps")}
        sliderMax={60}
        error={errors.get("num_inference_steps")}
      />
      <SliderField
        label="Guidance"
        help="How closely the pictures follow the prompts. 1 or less turns it off."
        value={guidance}
        onChange={(value) => onChange({ guidance: value })}
        {...bounds(SCHEMA, "guidance_scale")}
        sliderMax={20}
        step={0.1}
        error={errors.get("guidance_scale")}
      />
      {schedulers.length > 0 && (
        <Select
          label="Scheduler"
          choices={schedulers.map((name) => ({ value: name, label: name }))}
          value={shared.scheduler ?? schedulers[0] ?? null}
          onChange={(scheduler) => onChange({ scheduler })}
          error={errors.get("scheduler")}
        />
      )}
      {model !== undefined && model.vaes.length > 1 && (
        <Select
          label="VAE"
          help="The tiny one is much faster and less exact."
          choices={model.vaes.map((name) => ({ value: name, label: name }))}
          value={shared.vae ?? model.vaes[0] ?? null}
          onChange={(vae) => onChange({ vae })}
          error={errors.get("vae")}
        />
      )}
      {syntaxes.length > 0 && (
        <Select
          label="Prompt syntax"
          choices={syntaxes.map((name) => ({ value: name, label: name }))}
          value={shared.syntax ?? model?.prompt_syntax ?? null}
          onChange={(syntax) => onChange({ syntax })}
          error={errors.get("prompt_syntax")}
        />
      )}
    </ErrorDisclosure>
  );
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
