import type { Machine } from "../../api/types";
import { bytes } from "../../components/format";

export interface MemoryPart {
  readonly id: "models" | "process" | "others" | "free";
  readonly label: string;
  readonly bytes: number;
}

/** The server's numbers; null where the system doesn't report one. */
export type Memory = { readonly [Name in keyof Machine["memory"]]: number | null };

/**
 * Shares of the memory that add up to all of it; none if it is not known how much there is. The server's numbers are from different moments,
 * so that no share may be negative.
 */
export function memoryParts({ total_bytes: total, available_bytes, resident_bytes, models_bytes }: Memory): MemoryPart[] {
  if (total === null || available_bytes === null) return [];
  const free = Math.min(Math.max(available_bytes, 0), total);
  const used = total - free;
  const resident = resident_bytes ?? 0;
  // On a GPU the models are not in the memory of the process.
  const models = Math.min(models_bytes ?? 0, resident, used);
  const process = Math.min(resident - models, used - models);
  return [
    { id: "models", label: "Models", bytes: models },
    { id: "process", label: "The rest of the server", bytes: process },
    { id: "others", label: "Other programs", bytes: used - models - process },
    { id: "free", label: "Free", bytes: free },
  ];
}

/** The memory of the machine as a bar: what models take, what else the process has, and what is free. */
export function MemoryBar({ memory }: { memory: Memory }) {
  const parts = memoryParts(memory);
  const { limit_bytes: limit, total_bytes: total } = memory;
  return (
    <section className="card stack-tight" aria-label="Memory">
      <h2>Memory</h2>
      {total !== null && parts.length > 0 && (
        <div className="machine-memory" aria-hidden="true">
          {parts.map(({ id, bytes }) => (
            <span key={id} data-part={id} style={{ flexGrow: bytes }} />
          ))}
          {limit !== null && limit < total && <span className="machine-limit" style={{ insetInlineStart: `${(limit / total) * 100}%` }} />}
        </div>
      )}
      <dl className="machine-legend numbers">
        {parts.map((part) => (
          <div key={part.id}>
            <dt>
              <span className="machine-dot" data-part={part.id} aria-hidden="true" />
              {part.label}
            </dt>
            <dd>{bytes(part.bytes)}</dd>
          </div>
        ))}
      </dl>
      <p className="muted small numbers">
        {total === null ? "The system does not report its memory." : `${bytes(total)} in all.`} Models take{" "}
        {bytes(memory.models_bytes ?? 0)}
        {limit === null ? "." : ` of at most ${bytes(limit)}.`}
      </p>
    </section>
  );
}
