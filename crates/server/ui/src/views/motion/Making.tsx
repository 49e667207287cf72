import { messageOf } from "../../api/problems";
import { useCancelTask } from "../../api/queries";
import { Button, ErrorMessage, ProgressBar } from "../../components";
import { forecast } from "./Player";
import type { FollowedTask } from "./useFollowedTask";

/** How far a task is, in words and as a bar, with a button that stops it. */
export function Making({ id, followed, what }: { id: string; followed: FollowedTask; what: string | null }) {
  const cancel = useCancelTask();
  const { task, live, status, progress } = followed;
  const isWaiting = status === "pending";
  const place = task?.queue_position ?? 0;
  const step = live?.step !== undefined && live.steps !== undefined && live.steps > 0 ? `step ${live.step} of ${live.steps}` : null;
  const eta = task?.eta_seconds;
  const texts = isWaiting
    ? [place > 0 ? `Waits for ${place === 1 ? "one other" : `${place} others`}` : "Waits for its turn"]
    : [what ?? "At work", step];
  if (task?.waits_for_model) texts.push(`loading ${task.waits_for_model.name}`);
  if (!isWaiting && eta !== null && eta !== undefined && progress < 100) texts.push(`${forecast(eta)} left`);
  return (
    <div className="motion-making">
      <div className="motion-making-row">
        <span className="grow numbers" role="status">
          {texts.filter((text) => text !== null).join(" · ")}
        </span>
        <span className="muted numbers">{Math.round(progress)} %</span>
        <Button size="s" icon="close" onPress={() => cancel.mutate(id)} isPending={cancel.isPending}>
          Cancel
        </Button>
      </div>
      <ProgressBar label="Progress" value={isWaiting ? undefined : progress} />
    </div>
  );
}

/** Why a task has no result. Nothing while it may still have one. */
export function Ending({ followed }: { followed: FollowedTask }) {
  const { status, task } = followed;
  if (status === "cancelled") return <p className="muted">Cancelled. Press Generate to make it after all.</p>;
  if (status !== "failed") return null;
  return <ErrorMessage>{task?.error?.message ?? messageOf(task?.message ?? "It failed.")}</ErrorMessage>;
}
