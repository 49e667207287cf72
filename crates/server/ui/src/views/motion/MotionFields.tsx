import { bounds, fact } from "../../api/limits";
import type { FieldErrors } from "../../api/problems";
import { NumberField, SliderField } from "../../components";
import { ErrorDisclosure } from "../image/ErrorDisclosure";
import type { MotionDraft } from "./scene-draft";

const SCHEMA = "Motion";
/** The largest bucket that Stable Video Diffusion learned; the server takes larger ones. */
const USUAL_BUCKETS = 255;

const MORE = [
  { name: "num_frames", label: "Frames at once", help: "How many the model makes in one run.", step: 1 },
  { name: "num_inference_steps", label: "Steps", help: "More take longer and show more detail.", step: 1 },
  { name: "conditioning_fps", label: "Conditioning rate", help: "The frame rate that the model is told.", step: 1 },
  { name: "min_guidance_scale", label: "Guidance of the first frame", help: undefined, step: 0.1 },
  { name: "max_guidance_scale", label: "Guidance of the last frame", help: undefined, step: 0.1 },
  { name: "decode_chunk_size", label: "Frames decoded at once", help: "Fewer need less memory, and flicker more.", step: 1 },
] as const;

export interface MotionFieldsProps {
  motion: MotionDraft;
  onChange: (change: Partial<MotionDraft>) => void;
  /** The faults by the fields' names. */
  errors: FieldErrors;
}

/** How a picture moves. */
export function MotionFields({ motion, onChange, errors }: MotionFieldsProps) {
  const isSet = MORE.filter(({ name }) => motion[name] !== null);
  return (
    <>
      <SliderField
        label="Motion"
        help="How much moves: from hardly anything to a lot."
        value={motion.motion_bucket_id ?? usual("motion_bucket_id")}
        onChange={(value) => onChange({ motion_bucket_id: value })}
        {...bounds(SCHEMA, "motion_bucket_id")}
        sliderMax={USUAL_BUCKETS}
        error={errors.get("motion_bucket_id")}
      />
      <SliderField
        label="Freedom"
        help="Noise added to the picture first. With more of it, the video departs further from the picture."
        value={motion.noise_aug_strength ?? usual("noise_aug_strength")}
        onChange={(value) => onChange({ noise_aug_strength: value })}
        {...bounds(SCHEMA, "noise_aug_strength")}
        sliderMax={1}
        step={0.01}
        error={errors.get("noise_aug_strength")}
      />
      <ErrorDisclosure
        title="More of the motion"
        summary={isSet.length === 0 ? undefined : isSet.map(({ label }) => label.toLowerCase()).join(", ")}
        hasError={MORE.some(({ name }) => errors.has(name))}
      >
        <div className="motion-grid">
          {MORE.map(({ name, label, help, step }) => (
            <NumberField
              key={name}
              label={label}
              help={help}
              value={motion[name] ?? Number.NaN}
              onChange={(value) => onChange({ [name]: Number.isNaN(value) ? null : value })}
              {...bounds(SCHEMA, name)}
              step={step}
              placeholder={String(fact(SCHEMA, name).default ?? "Model's own")}
              error={errors.get(name)}
            />
          ))}
        </div>
      </ErrorDisclosure>
    </>
  );
}

function usual(name: string): number {
  return Number(fact(SCHEMA, name).default ?? 0);
}
