import { useEffect, useState } from "react";
import { localUrl } from "../../api/base";
import { RECENT_IMAGES, useTasks } from "../../api/queries";
import { taskStore } from "../../api/task-store";
import type { Task, TaskSummary } from "../../api/types";
import { EmptyState, type GivenImage, Picture } from "../../components";
import { StageTile } from "./StageTile";

export interface StageActions {
  /** Fills the form with what made the image. */
  readonly onUse: (request: NonNullable<Task["request"]>) => void;
  readonly onStart: (image: GivenImage) => void;
  readonly onSeed: (seed: number) => void;
}

interface Props extends StageActions {
  shown: readonly string[];
  onShow: (ids: readonly string[]) => void;
}

/** The images in progress or chosen, large, and the recent ones under them. */
export function Stage({ shown, onShow, ...actions }: Props) {
  const active = useTasks({ status: ["pending", "processing"], order: "asc" });
  const recent = useTasks(RECENT_IMAGES);
  const running = active.data?.filter(({ kind }) => kind === "image").map(({ task_id }) => task_id) ?? [];
  const newest = recent.data?.slice(0, 1).map(({ task_id }) => task_id) ?? [];
  const ids = shown.length > 0 ? shown : running.length > 0 ? running.slice(0, 4) : newest;
  if (ids.length === 0) {
    return (
      <section className="image-stage" aria-label="Images">
        {recent.isPending ? null : (
          <EmptyState icon="image" title="No images yet">
            Describe an image, then press Generate or Ctrl+Enter. It appears here step by step.
          </EmptyState>
        )}
      </section>
    );
  }
  return (
    <section className="image-stage" aria-label="Images">
      <Announcements ids={ids} />
      <div className="image-results" data-count={Math.min(ids.length, 5)}>
        {ids.map((id) => (
          <StageTile
            key={id}
            id={id}
            summary={active.data?.find(({ task_id }) => task_id === id)}
            onGone={() => onShow(shown.filter((other) => other !== id))}
            {...actions}
          />
        ))}
      </div>
      {(recent.data?.length ?? 0) > 1 && (
        <ul className="image-recent" aria-label="Recent images">
          {recent.data?.slice(0, RECENT_IMAGES.limit).map((task) => (
            <li key={task.task_id}>
              <Picture
                src={task.thumbnail_url === null ? null : localUrl(task.thumbnail_url)}
                name={nameOf(task)}
                onPress={() => onShow([task.task_id])}
                isSelected={ids.includes(task.task_id)}
              />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const ENDS: Record<string, string> = { completed: "An image is done.", failed: "An image failed.", cancelled: "An image was cancelled." };

/** Says when an image on the stage ends, for those who don't see it. */
function Announcements({ ids }: { ids: readonly string[] }) {
  const [text, setText] = useState("");
  useEffect(
    () =>
      taskStore().watch(({ kind, data }) => {
        const end = ENDS[kind];
        if (end !== undefined && data.task_id !== undefined && ids.includes(data.task_id)) setText(end);
      }),
    [ids],
  );
  return (
    <p className="visually-hidden" role="status">
      {text}
    </p>
  );
}

/** The accessible name of an image: its prompt, then what tells it from others of the same prompt. */
export function nameOf({ prompt, seed }: Pick<TaskSummary, "prompt" | "seed">): string {
  const text = prompt ?? "Image";
  return seed === null ? text : `${text}, seed ${seed}`;
}
