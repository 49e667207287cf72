/**
 * The part of the API that this page uses, in openapi-typescript's form.
 *
 * It stands in for the generated `schema.ts` until openapi.json is here, and goes then.
 */

export type TaskStatus = "pending" | "processing" | "completed" | "failed" | "cancelled";
export type Priority = "low" | "normal" | "high";
export type TaskKind = "image" | "video" | "upscale";

export interface components {
  schemas: {
    TaskSummary: {
      task_id: string;
      status: TaskStatus;
      progress: number;
      created_at: string;
      updated_at: string;
      completed_at: string | null;
      message: string;
      queue_position: number | null;
      eta_seconds: number | null;
      kind: TaskKind;
      prompt: string | null;
      model: string | null;
      width: number | null;
      height: number | null;
      seed: number | null;
      priority: Priority;
      error: string | null;
      file: TaskSummaryFile | null;
      thumbnail_url: string | null;
      frames: number | null;
      duration_seconds: number | null;
      elapsed_seconds: number | null;
    };
    Task: {
      task_id: string;
      status: TaskStatus;
      progress: number;
      created_at: string;
      updated_at: string;
      completed_at: string | null;
      result: {
        service: string;
        result: {
          video_url: string | null;
          image_url: string | null;
          files: { name: string; url: string; media_type: string; bytes: number; sha256: string; expired: boolean }[];
          width: number;
          height: number;
          frames: number | null;
          fps: string | null;
          native: { width: number; height: number; frames: number | null } | null;
          seed: number | null;
          prompt_truncated: boolean;
          remarks: string[];
          ignored_fields?: IgnoredField[];
        };
        duration: number;
        parts?: { made: number; reused: number } | null;
      } | null;
      error: { type: string; message: string; retryable: boolean; code: string } | null;
      message: string;
      queue_position: number | null;
      eta_seconds: number | null;
      attempts: number;
      waits_for_model?: { name: string; state: string; progress: number | null };
      kind: TaskKind;
      prompt: string | null;
      model: string | null;
      width: number | null;
      height: number | null;
      seed: number | null;
      priority: Priority;
      file: TaskSummaryFile | null;
      thumbnail_url: string | null;
      frames: number | null;
      duration_seconds: number | null;
      elapsed_seconds: number | null;
      request: { path: string; body: Record<string, unknown>; needs?: string[] } | null;
      parameters: string | null;
    };
    VideoTaskResponse: {
      task_id: string;
      status: TaskStatus;
      message: string;
      seed: number | null;
      remarks: string[];
      ignored_fields?: IgnoredField[];
    };
    Model: {
      name: string;
      default: boolean;
      state: string;
      progress?: number | null;
      reason?: string | null;
      memory_bytes: number | null;
      loads: number;
      precision: string | null;
      width: number | null;
      height: number | null;
      steps: number | null;
      guidance_scale: number | null;
      prompt_syntax: string | null;
      vaes: string[];
      other_parts: Record<string, string>;
      loras: string[];
      kind: "image" | "motion";
      family: string | null;
      schedulers: string[];
    };
    Models: {
      models: components["schemas"]["Model"][];
      adapters: string[];
      controlnets: string[];
      upscalers: string[];
      motion: { name: string; width: number; height: number; frames: number; fps: number } | null;
    };
    Machine: {
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
    };
    VideoInfo: Record<string, unknown> & { timeline: TimelineEntry[] };
    CancelResponse: { success: boolean; message: string; task_id: string };
  };
}

export interface IgnoredField {
  field: string;
  did_you_mean?: string | null;
}

export interface TaskSummaryFile {
  name: string;
  url: string;
  media_type: string;
  bytes: number;
  expired: boolean;
}

export interface TimelineEntry {
  kind: "scene" | "join";
  scene: number;
  start_frame: number;
  frames: number;
  start_seconds: number;
  seconds: number;
  join?: string | null;
  cached: boolean;
}

interface Answer<Body> {
  headers: Record<string, unknown>;
  content: { "application/json": Body };
}

type Schemas = components["schemas"];
type Parameters<Path, Query = never> = { query?: Query; header?: Record<string, string>; path: Path; cookie?: never };
type Plain = { query?: never; header?: Record<string, string>; path?: never; cookie?: never };
type JsonBody = { content: { "application/json": Record<string, unknown> } };

interface Submitting {
  parameters: Plain;
  requestBody: JsonBody;
  responses: { 202: Answer<Schemas["VideoTaskResponse"]>; 422: Answer<unknown> };
}

export interface paths {
  "/models": { get: { parameters: Plain; responses: { 200: Answer<Schemas["Models"]> } } };
  "/models/{name}/load": { post: { parameters: Parameters<{ name: string }>; responses: { 202: Answer<Schemas["Model"]> } } };
  "/models/{name}/unload": { post: { parameters: Parameters<{ name: string }>; responses: { 202: Answer<Schemas["Model"]> } } };
  "/api/v1/machine": { get: { parameters: Plain; responses: { 200: Answer<Schemas["Machine"]> } } };
  "/api/v1/images/generate": { post: Submitting };
  "/api/v1/images/generate-i2i": { post: Submitting };
  "/api/v1/videos/generate": { post: Submitting };
  "/generate-video": { post: Submitting };
  "/animate": { post: Submitting };
  "/generate-video/info": {
    post: { parameters: Plain; requestBody: JsonBody; responses: { 200: Answer<Schemas["VideoInfo"]>; 422: Answer<unknown> } };
  };
  "/api/v1/tasks": {
    get: {
      parameters: {
        query?: { limit?: number; after?: string; status?: string; order?: "asc" | "desc"; kind?: TaskKind; q?: string };
        header?: never;
        path?: never;
        cookie?: never;
      };
      responses: { 200: Answer<Schemas["TaskSummary"][]> };
    };
  };
  "/api/v1/tasks/{id}": {
    get: { parameters: Parameters<{ id: string }>; responses: { 200: Answer<Schemas["Task"]>; 404: Answer<unknown> } };
    delete: {
      parameters: Parameters<{ id: string }, { forget?: boolean }>;
      responses: { 200: Answer<Schemas["CancelResponse"]>; 404: Answer<unknown> };
    };
    patch: {
      parameters: Parameters<{ id: string }>;
      requestBody: { content: { "application/json": { priority: Priority } } };
      responses: { 200: Answer<Schemas["Task"]>; 409: Answer<unknown> };
    };
  };
}
