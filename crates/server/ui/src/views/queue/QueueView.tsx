import { messageOf } from "../../api/problems";
import { useTasks } from "../../api/queries";
import { Button, EmptyState, ErrorMessage, ProgressBar } from "../../components";
import { CancelAll } from "./CancelAll";
import { EndedList } from "./EndedList";
import { RunningTask } from "./RunningTask";
import { WaitingGroups } from "./WaitingGroups";
import "./queue.css";

/** What runs, what waits and in which order, and what has ended. */
export default function QueueView() {
  const active = useTasks({ status: ["pending", "processing"], order: "asc" });
  const ended = useTasks({ status: ["completed", "failed", "cancelled"], limit: 30 });
  const tasks = active.data ?? [];
  const running = tasks.filter(({ status }) => status === "processing");
  const waiting = tasks.filter(({ status }) => status === "pending");
  const isEmpty = active.isSuccess && tasks.length === 0;
  return (
    <div className="page queue">
      <header className="queue-head">
        <h1>Queue</h1>
        {tasks.length > 0 && <CancelAll tasks={tasks} />}
      </header>
      {active.isPending && <ProgressBar label="Loading the queue" />}
      {active.isError && <ErrorMessage>{messageOf(active.error)}</ErrorMessage>}
      {isEmpty && (
        <EmptyState
          icon="queue"
          title="Nothing waits or runs"
          action={
            <a className="button" data-variant="plain" href="#/image">
              Make an image
            </a>
          }
        >
          Work that you start appears here with its place and its forecast. It goes on when you close this page.
        </EmptyState>
      )}
      {running.length > 0 && (
        <section className="stack-tight" aria-labelledby="queue-running">
          <h2 id="queue-running">Running</h2>
          {running.map((task) => (
            <RunningTask key={task.task_id} task={task} />
          ))}
        </section>
      )}
      {waiting.length > 0 && <WaitingGroups tasks={waiting} />}
      {active.hasNextPage && (
        <Button onPress={() => void active.fetchNextPage()} isPending={active.isFetchingNextPage}>
          Show more
        </Button>
      )}
      {(ended.data?.length ?? 0) > 0 && <EndedList tasks={ended.data ?? []} />}
    </div>
  );
}
