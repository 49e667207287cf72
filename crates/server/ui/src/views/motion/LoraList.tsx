import { bounds, fact } from "../../api/limits";
import type { FieldErrors } from "../../api/problems";
import { ComboBox, IconButton, SliderField } from "../../components";
import { ErrorDisclosure } from "../image/ErrorDisclosure";
import type { LoraDraft } from "./scene-draft";

export interface LoraListProps {
  /** Those that the server has. */
  names: readonly string[];
  loras: readonly LoraDraft[];
  onChange: (loras: LoraDraft[]) => void;
  errors: FieldErrors;
}

/** Adapters that change the model, with their weights. Nothing where the server has none. */
export function LoraList({ names, loras, onChange, errors }: LoraListProps) {
  if (names.length === 0 && loras.length === 0) return null;
  const most = fact("GenerateVideoRequest", "loras").maxItems ?? Number.POSITIVE_INFINITY;
  const unused = names.filter((name) => !loras.some((lora) => lora.name === name));
  const weigh = (name: string, weight: number) => onChange(loras.map((lora) => (lora.name === name ? { name, weight } : lora)));
  return (
    <ErrorDisclosure
      title="LoRAs"
      summary={loras.map(({ name }) => name).join(", ") || "none"}
      hasError={[...errors.keys()].some((field) => field === "loras" || field.startsWith("loras."))}
    >
      {loras.map(({ name, weight }, index) => (
        <div key={name} className="motion-lora">
          <div className="grow">
            <SliderField
              label={name}
              value={weight}
              onChange={(value) => weigh(name, value)}
              {...bounds("Lora", "weight")}
              sliderMax={2}
              step={0.05}
              error={errors.get(`loras.${index}`) ?? errors.get(`loras.${index}.name`) ?? errors.get(`loras.${index}.weight`)}
            />
          </div>
          <IconButton icon="close" label={`Remove ${name}`} onPress={() => onChange(loras.filter((lora) => lora.name !== name))} />
        </div>
      ))}
      {unused.length > 0 && loras.length < most && (
        <ComboBox
          key={loras.length}
          label="Add a LoRA"
          placeholder="Type to search"
          choices={unused.map((name) => ({ value: name, label: name }))}
          value={null}
          onChange={(name) => onChange([...loras, { name, weight: 1 }])}
          error={errors.get("loras")}
        />
      )}
    </ErrorDisclosure>
  );
}
