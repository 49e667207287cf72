import { memo, useState } from "react";
import { localUrl } from "../../api/base";
import type { TaskSummary } from "../../api/types";
import { Icon } from "../../components";
import { nameOf, seconds, titleOf } from "./words";

export interface ResultTileProps {
  task: TaskSummary;
  /** Counted from 1. */
  column: number;
  isSelected: boolean;
  /** Whether the Tab key goes here; arrow keys reach the others. */
  isTabStop: boolean;
  /** Whether tiles go by too fast to see; those that have their picture keep it. */
  isFast: boolean;
  onBrokenLink: () => void;
}

/** A result in the grid. The grid handles presses and keys, so that a thousand tiles need no handlers. */
export const ResultTile = memo(function ResultTile({ task, column, isSelected, isTabStop, isFast, onBrokenLink }: ResultTileProps) {
  const [broken, setBroken] = useState<string | null>(null);
  const source = task.thumbnail_url;
  const [isSeen, setSeen] = useState(!isFast);
  if (!isSeen && !isFast) setSeen(true);
  const isThere = source !== null && source !== broken;
  const isShown = isThere && isSeen;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table can't place its rows freely.
    <div
      role="gridcell"
      aria-colindex={column}
      aria-selected={isSelected}
      tabIndex={isTabStop ? 0 : -1}
      className="gallery-tile"
      data-id={task.task_id}
    >
      {isShown ? (
        <img
          className="gallery-image"
          src={localUrl(source)}
          alt={nameOf(task)}
          dir="auto"
          loading="lazy"
          decoding="async"
          draggable={false}
          onError={() => {
            setBroken(source);
            onBrokenLink();
          }}
        />
      ) : (
        !isThere && <Missing task={task} />
      )}
      {isShown && (
        <span className="gallery-caption" dir="auto" aria-hidden="true">
          {titleOf(task)}
        </span>
      )}
      {task.kind === "video" && task.status === "completed" && (
        <span className="gallery-badge numbers">
          <Icon name="play" size={12} />
          {task.duration_seconds === null ? "Video" : seconds(task.duration_seconds)}
        </span>
      )}
      <span className="gallery-check" aria-hidden="true" />
    </div>
  );
});

const STATES: Readonly<Record<string, string>> = { failed: "Failed", cancelled: "Cancelled" };

/** A task that has no picture: it failed or was cancelled, or its file was removed. */
function Missing({ task }: { task: TaskSummary }) {
  const state = STATES[task.status] ?? (task.file?.expired ? "File removed" : "No picture");
  return (
    <span className="gallery-missing">
      <span className="gallery-missing-state">
        <Icon name={task.status === "failed" ? "warning" : "image"} size={18} />
        {state}
      </span>
      <span className="gallery-missing-text" dir="auto">
        {titleOf(task)}
      </span>
      {task.error !== null && (
        <span className="gallery-missing-text" dir="auto">
          {task.error}
        </span>
      )}
    </span>
  );
}
