import type { ReactNode } from "react";
import { fact } from "../../api/limits";
import { Button, NumberField, TextField } from "../../components";
import { ErrorDisclosure } from "./ErrorDisclosure";
import { hasError, type PanelProps, SCHEMA } from "./panel";
import { MOST_IMAGES } from "./settings";

interface Props extends PanelProps {
  onGenerate: () => void;
  isPending: boolean;
  children?: ReactNode;
}

/** The prompt, and the button that makes an image of it. */
export function PromptPanel({ settings, set, errors, onGenerate, isPending, children }: Props) {
  return (
    <section className="image-prompt stack-tight" aria-label="Prompt">
      <TextField
        label="Prompt"
        rows={4}
        placeholder="What the image shows"
        value={settings.prompt}
        onChange={(prompt) => set({ prompt })}
        maxLength={fact(SCHEMA, "prompt").maxLength}
        error={errors.get("prompt")}
      />
      <ErrorDisclosure
        title="Negative prompt"
        summary={settings.negative === "" ? "none" : settings.negative}
        hasError={hasError(errors, "negative_prompt")}
      >
        <TextField
          label="Negative prompt"
          hidesLabel
          rows={2}
          placeholder="What it should not show"
          value={settings.negative}
          onChange={(negative) => set({ negative })}
          maxLength={fact(SCHEMA, "negative_prompt").maxLength}
          error={errors.get("negative_prompt")}
        />
      </ErrorDisclosure>
      <div className="image-go">
        <NumberField
          label="Images"
          hidesLabel
          value={settings.count}
          onChange={(count) => set({ count: Number.isNaN(count) ? 1 : count })}
          minValue={1}
          maxValue={MOST_IMAGES}
          formatOptions={COUNT}
        />
        <Button variant="primary" icon="sparkle" onPress={onGenerate} isPending={isPending}>
          Generate
        </Button>
      </div>
      {children}
    </section>
  );
}

const COUNT: Intl.NumberFormatOptions = { maximumFractionDigits: 0 };
