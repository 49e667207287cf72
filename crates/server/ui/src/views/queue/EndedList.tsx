import { useMutation } from "@tanstack/react-query";
import { client, unwrap } from "../../api/client";
import { type MakingPath, submit } from "../../api/queries";
import type { TaskSummary } from "../../api/types";
import { handOver } from "../../app/handoff";
import { Button, toast } from "../../components";
import { ago, duration } from "../../components/format";
import { TaskPicture, TaskTexts } from "./TaskLine";

/** What ended lately, with errors, and another try for what failed. */
export function EndedList({ tasks }: { tasks: readonly TaskSummary[] }) {
  return (
    <section className="stack-tight" aria-labelledby="queue-ended">
      <h2 id="queue-ended">Recently ended</h2>
      <ul className="queue-list">
        {tasks.map((task) => (
          <li key={task.task_id} className="queue-item">
            <TaskPicture task={task} />
            <TaskTexts task={task}>
              <EndedState task={task} />
            </TaskTexts>
            {task.status === "completed" ? (
              <a className="button" data-size="s" data-variant="quiet" href={`#/gallery/${task.task_id}`}>
                Show
              </a>
            ) : (
              <Retry task={task} />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function EndedState({ task }: { task: TaskSummary }) {
  const when = ago(task.completed_at ?? task.updated_at);
  switch (task.status) {
    case "failed":
      return (
        <>
          <span className="field-error">{task.error ?? "It failed."}</span>
          <span className="muted small">Failed {when}</span>
        </>
      );
    case "cancelled":
      return <span className="muted small">Cancelled {when}</span>;
    default: {
      const spent = task.elapsed_seconds === null ? "" : `, in ${duration(task.elapsed_seconds)}`;
      return (
        <span className="muted small numbers">
          Done {when}
          {spent}
        </span>
      );
    }
  }
}

/** Makes it once more. What was made from a picture opens in its view, because the picture is not kept. */
function Retry({ task }: { task: TaskSummary }) {
  const retry = useMutation({
    mutationFn: async () => {
      const { request } = await unwrap(client.GET("/api/v1/tasks/{id}", { params: { path: { id: task.task_id } } }));
      if (request === null) throw new Error("The server does not know any more how this was made.");
      if ((request.needs ?? []).length > 0) {
        handOver(task.kind === "image" ? "image" : "motion", { request });
        return;
      }
      await submit(request.path as MakingPath, request.body);
      toast("It is in the queue again.");
    },
  });
  return (
    <Button size="s" icon="again" onPress={() => retry.mutate()} isPending={retry.isPending}>
      Retry
    </Button>
  );
}
