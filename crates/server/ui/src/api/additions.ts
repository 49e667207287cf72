/** Answers that openapi.json does not describe yet. */

/** What `GET /models` says beyond the generated types. */
export interface ModelAdditions {
  /** "image", or "motion" for one that sets pictures in motion. */
  kind: "image" | "motion";
  family: string | null;
  /** The schedulers that suit it, its own first. */
  schedulers: string[];
}

export interface ModelsAdditions {
  upscalers: string[];
  motion: { name: string; width: number; height: number; frames: number; fps: number } | null;
}

/** The answer of `GET /api/v1/machine`. */
export interface Machine {
  version: string;
  device: string;
  device_reason: string | null;
  cpu_threads: number;
  precision: string | null;
  uptime_seconds: number;
  memory: {
    total_bytes: number;
    available_bytes: number;
    resident_bytes: number;
    models_bytes: number;
    limit_bytes: number | null;
  };
  queue: { waiting: number; running: number; capacity: number };
  store: { kept_bytes: number; kept_files: number; jobs: Record<string, number>; folder_free_bytes: number | null };
  speed: {
    model: string;
    width: number;
    height: number;
    seconds_per_step: number;
    steps_per_second: number;
    measured_at: string | null;
  }[];
  errors: { task_id: string; at: string; kind: string; code: string; message: string }[];
}
