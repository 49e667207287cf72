import type { ReactNode } from "react";
import { IconButton, NumberField } from "../../components";
import { randomSeed } from "./scene-draft";

export interface SeedFieldProps {
  seed: number;
  isLocked: boolean;
  /** Called with what changed. */
  onChange: (change: { seed?: number; isSeedLocked?: boolean }) => void;
  help: ReactNode;
  error?: string | null;
}

/** A seed, with its lock, and a button that draws another one. */
export function SeedField({ seed, isLocked, onChange, help, error }: SeedFieldProps) {
  return (
    <div className="motion-seed">
      <NumberField
        label="Seed"
        value={seed}
        onChange={(value) => !Number.isNaN(value) && onChange({ seed: value, isSeedLocked: true })}
        minValue={0}
        maxValue={Number.MAX_SAFE_INTEGER}
        help={help}
        error={error}
      />
      <IconButton
        icon={isLocked ? "lock" : "unlock"}
        label={isLocked ? "Unlock the seed" : "Lock the seed"}
        variant="plain"
        onPress={() => onChange({ isSeedLocked: !isLocked })}
      />
      <IconButton icon="dice" label="Draw another seed" variant="plain" onPress={() => onChange({ seed: randomSeed() })} />
    </div>
  );
}
