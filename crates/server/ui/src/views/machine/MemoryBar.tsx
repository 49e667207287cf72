import type { Machine } from "../../api/types";
import { bytes } from "../../components/format";

export interface MemoryPart {
  readonly id: "models" | "process" | "others" | "free";
  readonly label: string;
  readonly bytes: number;
}

/** Shares of the memory that add up to all of it; none where the system does not tell. The server's numbers are from different moments, so that no share may be negative. */
export function memoryParts({ total_bytes, available_bytes, resident_bytes, models_bytes }: Machine["memory"]): MemoryPart[] {
  if (total_bytes === null || available_bytes === null || resident_bytes === null) return [];
  const free = Math.min(Math.max(available_bytes, 0), total_bytes);
  const used = total_bytes - free;
  // On a GPU the models are not in the memory of the process.
  const models = Math.min(models_bytes, resident_bytes, used);
  const process = Math.min(resident_bytes - models, used - models);
  return [
    { id: "models", label: "Models", bytes: models },
    { id: "process", label: "The rest of the server", bytes: process },
    { id: "others", label: "Other programs", bytes: used - models - process },
    { id: "free", label: "Free", bytes: free },
  ];
}

/** The memory of the machine as a bar: what models take, what else the process has, and what is free. */
export function MemoryBar({ memory }: { memory: Machine["memory"] }) {
  const parts = memoryParts(memory);
  const { limit_bytes: limit, total_bytes: total } = memory;
  return (
    <section className="card stack-tight" aria-label="Memory">
      <h2>Memory</h2>
      <div className="machine-memory" aria-hidden="true">
        {parts.map(({ id, bytes }) => (
          <span key={id} data-part={id} style={{ flexGrow: bytes }} />
        ))}
        {limit !== null && total !== null && limit < total && (
          <span className="machine-limit" style={{ insetInlineStart: `${(limit / total) * 100}%` }} />
        )}
      </div>
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
        {total === null ? "" : `${bytes(total)} in all. `}Models take {bytes(memory.models_bytes)}
        {limit === null ? "." : `; the limit is ${bytes(limit)}.`}
      </p>
    </section>
  );
}
