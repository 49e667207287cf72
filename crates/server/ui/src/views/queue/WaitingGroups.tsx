import { Button as AriaButton, GridList, GridListItem, isTextDropItem, useDragAndDrop } from "react-aria-components";
import { useCancelTask, useSetPriority } from "../../api/queries";
import { stateText, taskState } from "../../api/task-state";
import { useLiveTask } from "../../api/task-store";
import type { Priority, TaskSummary } from "../../api/types";
import { Button, Icon, IconButton, Menu } from "../../components";
import { TaskPicture, TaskTexts, titleOf } from "./TaskLine";

/** In the order in which they are served. */
const PRIORITIES: readonly { id: Priority; label: string }[] = [
  { id: "high", label: "High" },
  { id: "normal", label: "Normal" },
  { id: "low", label: "Low" },
];

/** Tells tasks from other things that are dragged. */
const TASK_TYPE = "application/x-framewright-task";

/** The waiting tasks by priority. A drag from group to group, also by keyboard, changes it; so does each task's menu. */
export function WaitingGroups({ tasks }: { tasks: readonly TaskSummary[] }) {
  const inOrder = [...tasks].sort((a, b) => (a.queue_position ?? 0) - (b.queue_position ?? 0));
  return (
    <section className="stack-tight" aria-labelledby="queue-waiting">
      <h2 id="queue-waiting">Waiting</h2>
      <p className="muted small">Higher priorities are served first. Drag a task to another group, or choose in its menu.</p>
      {PRIORITIES.map(({ id, label }) => (
        <Group key={id} priority={id} label={label} tasks={inOrder.filter((task) => (task.priority ?? "normal") === id)} />
      ))}
    </section>
  );
}

function Group({ priority, label, tasks }: { priority: Priority; label: string; tasks: readonly TaskSummary[] }) {
  const setPriority = useSetPriority();
  const { dragAndDropHooks } = useDragAndDrop({
    getItems: (keys) => [...keys].map((key) => ({ [TASK_TYPE]: String(key) })),
    acceptedDragTypes: [TASK_TYPE],
    getDropOperation: () => "move",
    onRootDrop: async ({ items }) => {
      for (const item of items.filter(isTextDropItem)) {
        const id = await item.getText(TASK_TYPE);
        if (!tasks.some((task) => task.task_id === id)) setPriority.mutate({ id, priority });
      }
    },
  });
  return (
    <div className="queue-group">
      <h3 className="queue-group-name">{label}</h3>
      <GridList
        className="queue-list"
        aria-label={`Waiting with ${label.toLowerCase()} priority`}
        items={tasks.map((task) => ({ id: task.task_id, task }))}
        dragAndDropHooks={dragAndDropHooks}
        renderEmptyState={() => <span className="queue-none muted small">Nothing waits here</span>}
      >
        {({ task }) => (
          <GridListItem className="queue-item" textValue={titleOf(task)}>
            <WaitingTask task={task} />
          </GridListItem>
        )}
      </GridList>
    </div>
  );
}

function WaitingTask({ task }: { task: TaskSummary }) {
  const cancel = useCancelTask();
  const setPriority = useSetPriority();
  const state = taskState(task, useLiveTask(task.task_id));
  const priority = PRIORITIES.find(({ id }) => id === (task.priority ?? "normal"));
  const choose = (chosen: Priority) => {
    if (chosen !== priority?.id) setPriority.mutate({ id: task.task_id, priority: chosen });
  };
  return (
    <>
      <AriaButton slot="drag" className="queue-drag" aria-label={`Drag ${titleOf(task)}`}>
        <Icon name="drag" size={18} />
      </AriaButton>
      <TaskPicture task={task} />
      <TaskTexts task={task}>
        <span className="small numbers">{stateText(state)}</span>
      </TaskTexts>
      <Menu label="Priority" entries={PRIORITIES.map((entry) => ({ ...entry, onAction: () => choose(entry.id) }))}>
        <Button size="s" aria-label={`Priority: ${priority?.label}`}>
          {priority?.label}
        </Button>
      </Menu>
      <IconButton icon="close" size="s" label="Cancel" onPress={() => cancel.mutate(task.task_id)} isDisabled={cancel.isPending} />
    </>
  );
}
