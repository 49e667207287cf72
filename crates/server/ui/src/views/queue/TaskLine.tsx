import { localUrl } from "../../api/base";
import type { TaskSummary } from "../../api/types";
import { Icon } from "../../components";

/** What a task shows or becomes, small. */
export function TaskPicture({ task, preview }: { task: TaskSummary; preview?: string }) {
  const src = preview ?? (task.thumbnail_url === null ? null : localUrl(task.thumbnail_url));
  return (
    <span className="queue-picture">
      {src === null ? <Icon name={task.kind === "video" ? "motion" : "image"} size={22} /> : <img src={src} alt="" />}
    </span>
  );
}

const KINDS: Record<TaskSummary["kind"], string> = { image: "Image", video: "Video", upscale: "Enlargement" };

/** A task's prompt, or what it is if it has none. */
export function titleOf(task: TaskSummary): string {
  return task.prompt?.trim() || KINDS[task.kind];
}

/** A task's kind, size and model in one line. */
export function detailsOf({ kind, width, height, model, duration_seconds }: TaskSummary): string {
  const size = width !== null && height !== null ? `${width} × ${height}` : null;
  const length = duration_seconds === null ? null : `${Math.round(duration_seconds * 10) / 10} s`;
  return [KINDS[kind], size, length, model].filter((text) => text !== null).join(" · ");
}

/** A task's title and details. */
export function TaskTexts({ task, children }: { task: TaskSummary; children?: React.ReactNode }) {
  return (
    <div className="queue-texts">
      <span className="queue-title" dir="auto">
        {titleOf(task)}
      </span>
      <span className="muted small numbers">{detailsOf(task)}</span>
      {children}
    </div>
  );
}
