import { useMutation, useQueryClient } from "@tanstack/react-query";
import { client, unwrap } from "../../api/client";
import { Problem } from "../../api/problems";
import { keys } from "../../api/queries";
import type { TaskSummary } from "../../api/types";
import { Button, confirm } from "../../components";

/** Cancels everything that waits or runs, after a question. */
export function CancelAll({ tasks }: { tasks: readonly TaskSummary[] }) {
  const queries = useQueryClient();
  const cancelAll = useMutation({
    mutationFn: async (ids: readonly string[]) => {
      // From the end, so that none starts only to be cancelled.
      for (const id of [...ids].reverse()) {
        try {
          await unwrap(client.DELETE("/api/v1/tasks/{id}", { params: { path: { id } } }));
        } catch (error) {
          // It ended meanwhile.
          if (!(error instanceof Problem && error.status === 409)) throw error;
        }
      }
    },
    onSettled: () => queries.invalidateQueries({ queryKey: keys.lists }),
  });
  const ask = async () => {
    const count = tasks.length === 1 ? "The task that waits or runs" : `All ${tasks.length} tasks that wait or run`;
    const isSure = await confirm({
      title: "Cancel all?",
      text: `${count} will be cancelled. What they made so far is lost.`,
      action: "Cancel all",
      isDanger: true,
    });
    if (isSure) cancelAll.mutate(tasks.map(({ task_id }) => task_id));
  };
  return (
    <Button icon="close" onPress={() => void ask()} isPending={cancelAll.isPending}>
      Cancel all
    </Button>
  );
}
