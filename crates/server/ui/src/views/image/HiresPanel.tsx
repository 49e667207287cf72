import { bounds, fact } from "../../api/limits";
import type { Models } from "../../api/types";
import { type Choice, NumberField, Select, SliderField, Switch } from "../../components";
import { ErrorDisclosure } from "./ErrorDisclosure";
import { errorWithin, hasError, type PanelProps, SCHEMA } from "./panel";
import { resultSize } from "./request";
import { sizeText } from "./shapes";

const HIRES = "Hires";
const NO_REFINER = "";

/** How many times larger the second pass makes an image, if the person sets nothing. */
export function usualHiresScale(): number {
  const scale = fact(HIRES, "scale").default;
  return typeof scale === "number" ? scale : 2;
}

/** What enlarges an image, if the person sets nothing. */
function usualUpscaler(): string {
  return String(fact(HIRES, "upscaler").default ?? "Latent");
}

/** The usual one, and the server's networks. */
function upscalerChoices(networks: readonly string[]): Choice[] {
  return [usualUpscaler(), ...networks.filter((name) => name !== usualUpscaler())].map((name) => ({ value: name, label: name }));
}

/** The models that can end an image: a refiner is a Stable Diffusion XL model. */
function refinersFor(models: Models | undefined, family: string | null | undefined, name: string | undefined): string[] {
  if (family === null || family === undefined || !family.startsWith("sdxl")) return [];
  const others = models?.models.filter((other) => other.kind === "image" && other.name !== name && other.family?.startsWith("sdxl"));
  return others?.map((other) => other.name) ?? [];
}

/** A second pass at a larger size, or another model that ends the image. */
export function HiresPanel({ settings, set, pictures, model, models, errors }: PanelProps) {
  const refiners = refinersFor(models, model?.family, model?.name);
  const usual = fact(HIRES, "strength").default;
  const conflict = pictures.start !== null ? "Not with a picture to start from." : settings.refiner !== null ? "Not with a refiner." : null;
  const size = resultSize(settings, pictures, model, usualHiresScale());
  const isOn = settings.hires && conflict === null;
  const summary = [isOn ? sizeText(size) : null, settings.refiner].filter((text) => text !== null).join(" · ") || "none";
  return (
    <ErrorDisclosure
      title={refiners.length > 0 ? "Second pass and refiner" : "Second pass"}
      summary={summary}
      hasError={hasError(errors, "hires", "refiner", "refiner_switch")}
    >
      <Switch
        isSelected={isOn}
        onChange={(hires) => set({ hires })}
        isDisabled={conflict !== null}
        help={conflict ?? "Enlarges the image, and repaints it at its new size."}
      >
        Second pass
      </Switch>
      {isOn && (
        <>
          <SliderField
            label="Times larger"
            help={`The result has ${sizeText(size)} pixels.`}
            value={settings.hiresScale ?? usualHiresScale()}
            onChange={(hiresScale) => set({ hiresScale })}
            {...bounds(HIRES, "scale")}
            step={0.25}
            error={errors.get("hires.scale")}
          />
          <SliderField
            label="Repainted share"
            value={settings.hiresStrength ?? (typeof usual === "number" ? usual : 0.75)}
            onChange={(hiresStrength) => set({ hiresStrength })}
            {...bounds(HIRES, "strength")}
            step={0.01}
            error={errors.get("hires.strength")}
          />
          <NumberField
            label="Steps of the second pass"
            placeholder="as in the first"
            value={settings.hiresSteps ?? Number.NaN}
            onChange={(steps) => set({ hiresSteps: Number.isNaN(steps) ? null : steps })}
            {...bounds(HIRES, "steps")}
            error={errors.get("hires.steps")}
          />
          {models !== undefined && models.upscalers.length > 0 && (
            <Select
              label="Enlarged by"
              choices={upscalerChoices(models.upscalers)}
              value={settings.hiresUpscaler ?? usualUpscaler()}
              onChange={(hiresUpscaler) => set({ hiresUpscaler })}
              error={errors.get("hires.upscaler")}
            />
          )}
        </>
      )}
      {errors.get("hires") !== undefined && <span className="field-error">{errorWithin(errors, "hires")}</span>}
      {refiners.length > 0 && (
        <Select
          label="Refiner"
          help="Ends the image with another model."
          choices={[{ value: NO_REFINER, label: "None" }, ...refiners.map((name) => ({ value: name, label: name }))]}
          value={settings.refiner ?? NO_REFINER}
          onChange={(name) => set({ refiner: name === NO_REFINER ? null : name })}
          error={errors.get("refiner")}
        />
      )}
      {settings.refiner !== null && (
        <SliderField
          label="Refiner takes over after"
          value={settings.refinerSwitch ?? Number(fact(SCHEMA, "refiner_switch").default ?? 0.8)}
          onChange={(refinerSwitch) => set({ refinerSwitch })}
          {...bounds(SCHEMA, "refiner_switch")}
          step={0.01}
          error={errors.get("refiner_switch")}
        />
      )}
    </ErrorDisclosure>
  );
}
