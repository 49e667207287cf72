import { useState } from "react";
import { bounds, fact } from "../../api/limits";
import { Button, DropZone, type GivenImage, GivenPicture, NumberField, Select, SliderField, Switch } from "../../components";
import { ErrorDisclosure } from "./ErrorDisclosure";
import { MaskEditor } from "./MaskEditor";
import { hasError, type PanelProps, SCHEMA } from "./panel";

const FIELDS = ["image", "strength", "reference_weight", "mask", "mask_blur", "mask_fill", "mask_only", "mask_padding", "mask_invert"];

/** The picture to start from, and the part of it that is repainted. */
export function StartPanel({
  settings,
  set,
  pictures,
  setPictures,
  errors,
  onStart,
}: PanelProps & { onStart: (image: GivenImage) => void }) {
  const { start, mask } = pictures;
  const [isPainting, setPainting] = useState(false);
  return (
    <ErrorDisclosure
      title="Start from a picture"
      summary={start === null ? "none" : mask === null ? start.name : `${start.name}, masked`}
      hasError={hasError(errors, ...FIELDS)}
      key={start === null ? "none" : "given"}
      defaultExpanded={start !== null}
    >
      {start === null ? (
        <DropZone label="Picture to start from" onImage={onStart} error={errors.get("image")} isCompact />
      ) : (
        <>
          <GivenPicture image={start} label="Picture to start from" onRemove={() => setPictures({ start: null, mask: null })}>
            <div className="row">
              <Button size="s" icon="brush" onPress={() => setPainting(true)}>
                {mask === null ? "Paint a mask" : "Change the mask"}
              </Button>
              {mask !== null && (
                <Button size="s" variant="quiet" onPress={() => setPictures({ mask: null })}>
                  Remove mask
                </Button>
              )}
            </div>
          </GivenPicture>
          {errors.get("image") !== undefined && <span className="field-error">{errors.get("image")}</span>}
          {errors.get("mask") !== undefined && <span className="field-error">{errors.get("mask")}</span>}
          <SliderField
            label="Strength"
            help="How much is repainted: at 0 it stays as it is, at 1 little of it stays."
            value={settings.strength}
            onChange={(strength) => set({ strength })}
            minValue={0}
            maxValue={1}
            step={0.01}
            error={errors.get("strength") ?? errors.get("reference_weight")}
          />
          {mask !== null && <MaskSettings settings={settings} set={set} errors={errors} />}
          <MaskEditor
            image={start}
            isOpen={isPainting}
            steps={mask?.steps ?? []}
            onClose={() => setPainting(false)}
            onDone={(painted) => {
              setPictures({ mask: painted });
              setPainting(false);
            }}
          />
        </>
      )}
    </ErrorDisclosure>
  );
}

const FILL_LABELS: Record<string, string> = {
  fill: "Colours around it",
  original: "The picture",
  noise: "Noise",
  nothing: "Nothing",
};

function MaskSettings({ settings, set, errors }: Pick<PanelProps, "settings" | "set" | "errors">) {
  const fills = fact(SCHEMA, "mask_fill").values ?? [];
  const blur = fact(SCHEMA, "mask_blur").default;
  const padding = fact(SCHEMA, "mask_padding").default;
  const fill = fact(SCHEMA, "mask_fill").default;
  return (
    <>
      {fills.length > 0 && (
        <Select
          label="Masked part starts from"
          choices={fills.map((name) => ({ value: name, label: FILL_LABELS[name] ?? name }))}
          value={settings.maskFill ?? (typeof fill === "string" ? fill : null)}
          onChange={(maskFill) => set({ maskFill })}
          error={errors.get("mask_fill")}
        />
      )}
      <NumberField
        label="Soft edge, pixels"
        value={settings.maskBlur ?? (typeof blur === "number" ? blur : Number.NaN)}
        onChange={(value) => set({ maskBlur: Number.isNaN(value) ? null : value })}
        {...bounds(SCHEMA, "mask_blur")}
        error={errors.get("mask_blur")}
      />
      <Switch
        isSelected={settings.maskOnly}
        onChange={(maskOnly) => set({ maskOnly })}
        help="Makes the masked part at full size: more detail in small parts."
      >
        Only the masked part
      </Switch>
      {settings.maskOnly && (
        <NumberField
          label="Surroundings, pixels"
          value={settings.maskPadding ?? (typeof padding === "number" ? padding : Number.NaN)}
          onChange={(value) => set({ maskPadding: Number.isNaN(value) ? null : value })}
          {...bounds(SCHEMA, "mask_padding")}
          error={errors.get("mask_padding")}
        />
      )}
    </>
  );
}
