import { bounds, fact } from "../../api/limits";
import type { FieldErrors } from "../../api/problems";
import type { Models } from "../../api/types";
import { Button, NumberField, Select, Switch, TextField } from "../../components";
import { ErrorDisclosure } from "../image/ErrorDisclosure";
import { errorsWithin } from "./field-errors";
import { MotionFields } from "./MotionFields";
import { joinChoices } from "./names";
import { seconds } from "./Player";
import { SeedField } from "./SeedField";
import type { SceneDraft } from "./scene-draft";

const SCHEMA = "SceneObject";

export interface SceneEditorProps {
  scene: SceneDraft;
  /** From 0. */
  index: number;
  isLast: boolean;
  /** The negative prompt of all scenes. */
  sharedNegative: string;
  fps: number | null;
  models: Models | undefined;
  onChange: (change: Partial<SceneDraft>) => void;
  /** Gives the scene's length, motion and join to all others. */
  onSpread: () => void;
  /** The faults by the fields' names. */
  errors: FieldErrors;
}

/** What is set of one scene. */
export function SceneEditor({ scene, index, isLast, sharedNegative, fps, models, onChange, onSpread, errors }: SceneEditorProps) {
  const canMove = models === undefined || models.motion !== null;
  return (
    <section className="stack" aria-label={`Scene ${index + 1}`}>
      <TextField
        label="Prompt"
        rows={3}
        placeholder={index === 0 ? "A harbour at dawn, fog on the water" : "The same harbour at night"}
        value={scene.prompt}
        onChange={(prompt) => onChange({ prompt })}
        error={errors.get("prompt")}
      />
      <div className="motion-grid motion-grid-low">
        <NumberField
          label="Length in seconds"
          value={scene.duration}
          onChange={(value) => !Number.isNaN(value) && onChange({ duration: value })}
          {...bounds(SCHEMA, "duration")}
          step={0.1}
          error={errors.get("duration")}
        />
        <Switch isSelected={scene.moves} onChange={(moves) => onChange({ moves })} isDisabled={!canMove && !scene.moves}>
          Set it in motion
        </Switch>
      </div>
      {!canMove && <p className="field-help">This server has no motion model, so scenes stand still.</p>}
      {errors.has("source") && <p className="field-error">{errors.get("source")}</p>}
      {scene.moves && (
        <MotionFields
          motion={scene.motion}
          onChange={(change) => onChange({ motion: { ...scene.motion, ...change } })}
          errors={errorsWithin(errors, "motion")}
        />
      )}
      {!isLast && (
        <div className="motion-grid">
          <Select
            label="To the next scene"
            choices={joinChoices(fact(SCHEMA, "join").values ?? [scene.join])}
            value={scene.join}
            onChange={(join) => onChange({ join })}
            error={errors.get("join")}
          />
          {scene.join !== "cut" && (
            <NumberField
              label="Frames of the transition"
              value={scene.joinFrames}
              onChange={(value) => !Number.isNaN(value) && onChange({ joinFrames: value })}
              {...bounds(SCHEMA, "transition_frames")}
              help={fps === null ? undefined : seconds(scene.joinFrames / fps)}
              error={errors.get("transition_frames")}
            />
          )}
        </div>
      )}
      <SeedField
        seed={scene.seed}
        isLocked={scene.isSeedLocked}
        onChange={onChange}
        help={scene.isSeedLocked ? 'Locked: "New seeds" leaves it alone.' : "The same seed makes the same picture."}
        error={errors.get("seed")}
      />
      <ErrorDisclosure
        title="Negative prompt"
        summary={scene.negative ?? (sharedNegative.trim() === "" ? "none" : "that of all scenes")}
        hasError={errors.has("negative_prompt")}
      >
        <TextField
          label="Negative prompt"
          hidesLabel
          rows={2}
          value={scene.negative ?? ""}
          onChange={(value) => onChange({ negative: value === "" ? null : value })}
          placeholder={sharedNegative.trim() || "What this scene should not show"}
          help="Replaces that of all scenes."
          error={errors.get("negative_prompt")}
        />
      </ErrorDisclosure>
      <Button size="s" variant="quiet" icon="swap" onPress={onSpread}>
        Apply length, motion and transition to all
      </Button>
    </section>
  );
}
