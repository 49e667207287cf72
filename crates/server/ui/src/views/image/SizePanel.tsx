import { Radio, RadioGroup } from "react-aria-components";
import { bounds } from "../../api/limits";
import { NumberField } from "../../components";
import { type PanelProps, SCHEMA } from "./panel";
import { firstSize } from "./request";
import { SHAPES, type ShapeId, sizeOfRatio, sizeText } from "./shapes";

/** The size by its shape, with the pixels that suit the model. */
export function SizePanel({ settings, set, pictures, model, errors }: PanelProps) {
  const { start } = pictures;
  const custom = firstSize({ ...settings, shape: "custom" }, start, model);
  const choices: { id: ShapeId; label: string; ratio: number; text: string }[] = [
    ...SHAPES.map(({ id, label, ratio }) => ({ id, label, ratio, text: sizeText(sizeOfRatio(ratio, model)) })),
    {
      id: "custom" as const,
      label: "Custom",
      ratio: custom.width / custom.height,
      text: settings.shape === "custom" ? sizeText(custom) : "any size",
    },
  ];
  if (start !== null) {
    const ratio = start.width / start.height;
    choices.unshift({ id: "picture", label: "Like the picture", ratio, text: sizeText(sizeOfRatio(ratio, model)) });
  }
  const chooseShape = (shape: ShapeId) => set(shape === "custom" ? { shape, ...firstSize(settings, start, model) } : { shape });
  const isCustom = settings.shape === "custom";
  const sizeError = errors.get("width") ?? errors.get("height");
  return (
    <section className="stack-tight" aria-label="Size">
      <RadioGroup className="image-shapes" aria-label="Shape" value={settings.shape} onChange={(shape) => chooseShape(shape as ShapeId)}>
        {choices.map(({ id, label, ratio, text }) => (
          <Radio key={id} value={id} className="image-shape">
            <span className="image-shape-frame" aria-hidden="true">
              <span style={{ aspectRatio: String(ratio), [ratio >= 1 ? "inlineSize" : "blockSize"]: "100%" }} />
            </span>
            <span className="image-shape-label">{label}</span>
            <span className="image-shape-size numbers">{text}</span>
          </Radio>
        ))}
      </RadioGroup>
      {isCustom && (
        <div className="image-pair">
          <NumberField
            label="Width"
            value={settings.width}
            onChange={(width) => !Number.isNaN(width) && set({ width })}
            {...bounds(SCHEMA, "width")}
            step={8}
            error={errors.get("width")}
          />
          <NumberField
            label="Height"
            value={settings.height}
            onChange={(height) => !Number.isNaN(height) && set({ height })}
            {...bounds(SCHEMA, "height")}
            step={8}
            error={errors.get("height")}
          />
        </div>
      )}
      {!isCustom && sizeError !== undefined && (
        <p className="field-error" role="alert">
          {sizeError}
        </p>
      )}
    </section>
  );
}
