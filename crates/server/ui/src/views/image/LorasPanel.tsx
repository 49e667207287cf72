import { bounds, fact } from "../../api/limits";
import { Button, ComboBox, IconButton, SliderField } from "../../components";
import { ErrorDisclosure } from "./ErrorDisclosure";
import { errorWithin, hasError, type PanelProps, SCHEMA } from "./panel";
import { lorasOf } from "./settings";

/** Adapters that change the model, with their weights. */
export function LorasPanel({ settings, set, model, models, errors }: PanelProps) {
  const names = models?.adapters ?? [];
  const own = lorasOf(model?.loras ?? []);
  const loras = settings.loras ?? own;
  if (names.length === 0 && loras.length === 0) return null;
  const most = fact(SCHEMA, "loras").maxItems ?? Number.POSITIVE_INFINITY;
  const unused = names.filter((name) => !loras.some((lora) => lora.name === name));
  const change = (index: number, weight: number) =>
    set({ loras: loras.map((lora, position) => (position === index ? { name: lora.name, weight } : lora)) });
  return (
    <ErrorDisclosure title="LoRAs" summary={loras.map(({ name }) => name).join(", ") || "none"} hasError={hasError(errors, "loras")}>
      {loras.map((lora, index) => (
        <div key={lora.name} className="image-entry">
          <div className="grow">
            <SliderField
              label={lora.name}
              value={lora.weight}
              onChange={(weight) => change(index, weight)}
              {...bounds("Lora", "weight")}
              sliderMin={-1}
              sliderMax={2}
              step={0.05}
              error={errorWithin(errors, `loras.${index}`)}
            />
          </div>
          <IconButton
            icon="close"
            label={`Remove ${lora.name}`}
            onPress={() => set({ loras: loras.filter((_, position) => position !== index) })}
          />
        </div>
      ))}
      {unused.length > 0 && loras.length < most && (
        <ComboBox
          key={loras.length}
          label="Add a LoRA"
          placeholder="Type to search"
          choices={unused.map((name) => ({ value: name, label: name }))}
          value={null}
          onChange={(name) => set({ loras: [...loras, { name, weight: 1 }] })}
        />
      )}
      {errors.get("loras") !== undefined && <span className="field-error">{errors.get("loras")}</span>}
      {own.length > 0 && settings.loras !== null && (
        <Button size="s" icon="undo" onPress={() => set({ loras: null })}>
          Use the model's own
        </Button>
      )}
    </ErrorDisclosure>
  );
}
