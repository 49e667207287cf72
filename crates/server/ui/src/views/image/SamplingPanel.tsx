import { bounds, fact } from "../../api/limits";
import type { Model } from "../../api/types";
import { Button, IconButton, NumberField, Select, SliderField } from "../../components";
import { ErrorDisclosure } from "./ErrorDisclosure";
import { hasError, type PanelProps, SCHEMA } from "./panel";
import { randomSeed } from "./settings";

/** Steps, guidance, seed and scheduler. */
export function SamplingPanel({ settings, set, model, errors }: PanelProps) {
  const steps = settings.steps ?? model?.steps ?? null;
  const guidance = settings.guidance ?? model?.guidance_scale ?? null;
  const scheduler = settings.scheduler ?? model?.schedulers[0] ?? null;
  const isChanged = settings.steps !== null || settings.guidance !== null || settings.scheduler !== null;
  const summary = [
    steps === null ? null : steps === 1 ? "1 step" : `${steps} steps`,
    scheduler,
    settings.isSeedLocked ? `seed ${settings.seed}` : null,
  ];
  return (
    <ErrorDisclosure
      title="Steps and seed"
      summary={summary.filter((text) => text !== null).join(" · ")}
      hasError={hasError(errors, "steps", "cfg_scale", "seed", "scheduler")}
    >
      {steps !== null && (
        <SliderField
          label="Steps"
          help="More steps take longer and show more detail."
          value={steps}
          onChange={(value) => set({ steps: value })}
          {...bounds(SCHEMA, "steps")}
          sliderMax={60}
          error={errors.get("steps")}
        />
      )}
      {guidance !== null && (
        <SliderField
          label="Guidance"
          help="How closely the image follows the prompt. 1 or less turns it off."
          value={guidance}
          onChange={(value) => set({ guidance: value })}
          {...bounds(SCHEMA, "cfg_scale")}
          sliderMax={20}
          step={0.1}
          error={errors.get("cfg_scale")}
        />
      )}
      <div className="image-seed">
        <NumberField
          label="Seed"
          value={settings.seed}
          onChange={(seed) => !Number.isNaN(seed) && set({ seed, isSeedLocked: true })}
          minValue={0}
          maxValue={Number.MAX_SAFE_INTEGER}
          help={settings.isSeedLocked ? "Locked: the same settings make the same image." : "Drawn anew for each image."}
          error={errors.get("seed")}
        />
        <IconButton
          icon={settings.isSeedLocked ? "lock" : "unlock"}
          label={settings.isSeedLocked ? "Unlock the seed" : "Lock the seed"}
          variant="plain"
          onPress={() => set({ isSeedLocked: !settings.isSeedLocked })}
        />
        <IconButton icon="dice" label="Draw another seed" variant="plain" onPress={() => set({ seed: randomSeed() })} />
      </div>
      {model !== undefined && model.schedulers.length > 0 && (
        <Select
          label="Scheduler"
          choices={model.schedulers.map((name) => ({ value: name, label: name }))}
          value={scheduler}
          onChange={(value) => set({ scheduler: value })}
          error={errors.get("scheduler")}
        />
      )}
      {isChanged && (
        <Button size="s" icon="undo" onPress={() => set({ steps: null, guidance: null, scheduler: null })}>
          Use the model's own
        </Button>
      )}
    </ErrorDisclosure>
  );
}

/** The model, and how it reads prompts and makes pixels. */
export function ModelPanel({ settings, set, model, models, errors }: PanelProps) {
  const imageModels = models?.models.filter(({ kind }) => kind === "image") ?? [];
  const syntaxes = fact(SCHEMA, "prompt_syntax").values ?? [];
  const choose = (name: string) => {
    const chosen = imageModels.find((candidate) => candidate.name === name);
    // Another model has other steps, sizes and schedulers: its own are a good start.
    set({ model: chosen?.default ? null : name, steps: null, guidance: null, scheduler: null, vae: null, syntax: null, refiner: null });
  };
  return (
    <ErrorDisclosure title="Model" summary={model?.name} hasError={hasError(errors, "model", "vae", "prompt_syntax")}>
      <Select
        label="Model"
        choices={imageModels.map((candidate) => ({ value: candidate.name, label: candidate.name, note: noteOf(candidate) }))}
        value={model?.name ?? null}
        onChange={choose}
        error={errors.get("model")}
      />
      {model !== undefined && model.vaes.length > 1 && (
        <Select
          label="VAE"
          help="The tiny one is much faster and less exact."
          choices={model.vaes.map((name) => ({ value: name, label: name }))}
          value={settings.vae ?? model.vaes[0] ?? null}
          onChange={(vae) => set({ vae })}
          error={errors.get("vae")}
        />
      )}
      {syntaxes.length > 0 && (
        <Select
          label="Prompt syntax"
          choices={syntaxes.map((name) => ({ value: name, label: name, note: SYNTAX_NOTES[name] }))}
          value={settings.syntax ?? model?.prompt_syntax ?? null}
          onChange={(syntax) => set({ syntax })}
          error={errors.get("prompt_syntax")}
        />
      )}
    </ErrorDisclosure>
  );
}

const SYNTAX_NOTES: Record<string, string> = {
  plain: "Every character is text",
  a1111: "(word:1.2), [word], BREAK",
  compel: 'word++, ("one", "another").blend(1, 0.5)',
};

function noteOf(model: Model): string {
  const size = model.width && model.height ? `${model.width} × ${model.height}` : null;
  return [model.family, size, model.state].filter(Boolean).join(" · ");
}
