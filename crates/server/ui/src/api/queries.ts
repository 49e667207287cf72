import {
  type InfiniteData,
  infiniteQueryOptions,
  type QueryClient,
  queryOptions,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import type { ViewPath } from "../app/view-files";
import { client, unwrap } from "./client";
import { hasEnded, type Models, type Priority, type Submitted, type TaskKind, type TaskStatus, type TaskSummary } from "./types";

/** The names under which answers are cached. Events read `lists` again, and write `task`. */
export const keys = {
  models: ["models"] as const,
  machine: ["machine"] as const,
  lists: ["tasks"] as const,
  list: (filter: TaskFilter) => ["tasks", filter] as const,
  task: (id: string) => ["task", id] as const,
};

/** Which tasks a list has. */
export interface TaskFilter {
  readonly status?: readonly TaskStatus[];
  readonly kind?: TaskKind;
  /** Words of the prompt. */
  readonly q?: string;
  /** "desc", the newest first, unless told otherwise. */
  readonly order?: "asc" | "desc";
  /** Tasks a page; 100 unless told otherwise. */
  readonly limit?: number;
}

const PAGE = 100;

export const modelsQuery = queryOptions({
  queryKey: keys.models,
  queryFn: ({ signal }) => unwrap(client.GET("/models", { signal })) as Promise<Models>,
});

export function useModels(refetchInterval: number | false = false) {
  return useQuery({ ...modelsQuery, refetchInterval });
}

export function useMachine(refetchInterval: number | false = false) {
  return useQuery({
    queryKey: keys.machine,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/machine", { signal })),
    refetchInterval,
  });
}

function tasksQuery(filter: TaskFilter) {
  const { status, limit = PAGE, ...query } = filter;
  return infiniteQueryOptions({
    queryKey: keys.list(filter),
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        client.GET("/api/v1/tasks", {
          signal,
          params: { query: { ...query, limit, status: status === undefined ? undefined : [...status], after: pageParam } },
        }),
      ),
    getNextPageParam: (page: TaskSummary[]) => (page.length < limit ? undefined : page.at(-1)?.task_id),
  });
}

/** A list of tasks, page by page; `fetchNextPage` reads on. Events keep it up to date. */
export function useTasks(filter: TaskFilter, enabled = true) {
  return useInfiniteQuery({
    ...tasksQuery(filter),
    enabled,
    select: (data: InfiniteData<TaskSummary[], string | undefined>) => data.pages.flat(),
    placeholderData: (before) => before,
  });
}

/** What the view that makes images shows besides those that run. */
export const RECENT_IMAGES: TaskFilter = { kind: "image", status: ["completed"], limit: 24 };

/** Asks for what the first view shows before that view is made. */
export function readAhead(queries: QueryClient, view: ViewPath) {
  if (view !== "/gallery" && view !== "/queue") void queries.prefetchQuery(modelsQuery);
  if (view === "/image") void queries.prefetchInfiniteQuery(tasksQuery(RECENT_IMAGES));
}

/** A task whole. The last event of a running one brings its result. */
export function useTask(id: string | null) {
  return useQuery({
    queryKey: keys.task(id ?? ""),
    enabled: id !== null,
    queryFn: ({ signal }) => unwrap(client.GET("/api/v1/tasks/{id}", { signal, params: { path: { id: id ?? "" } } })),
    staleTime: (query) => (query.state.data !== undefined && hasEnded(query.state.data.status) ? Number.POSITIVE_INFINITY : 0),
  });
}

/** The routes that make tasks. */
export type MakingPath =
  | "/api/v1/images/generate"
  | "/api/v1/images/generate-i2i"
  | "/api/v1/videos/generate"
  | "/generate-video"
  | "/animate";

/**
 * Submits a request that becomes a task, and answers at once.
 *
 * @throws {Problem} with the faults of its fields.
 */
export function submit(path: MakingPath, body: Record<string, unknown>): Promise<Submitted> {
  // The routes' bodies differ, and forms of views make them; what all of them answer to this header is the same.
  const made = client.POST(path as "/api/v1/images/generate", { body: body as never, params: { header: { Prefer: "respond-async" } } });
  return unwrap(made) as Promise<Submitted>;
}

/** Reads lists and the task again after a change that was asked for here. */
function useChanging<Variables>(mutationFn: (variables: Variables) => Promise<unknown>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn, onSettled: () => queries.invalidateQueries({ queryKey: keys.lists }) });
}

/** Stops a task that waits or runs. */
export function useCancelTask() {
  return useChanging((id: string) => unwrap(client.DELETE("/api/v1/tasks/{id}", { params: { path: { id } } })));
}

/** Removes a task with its files. */
export function useForgetTask() {
  return useChanging((id: string) => unwrap(client.DELETE("/api/v1/tasks/{id}", { params: { path: { id }, query: { forget: true } } })));
}

/** Orders a waiting task before or after others. */
export function useSetPriority() {
  return useChanging(({ id, priority }: { id: string; priority: Priority }) =>
    unwrap(client.PATCH("/api/v1/tasks/{id}", { params: { path: { id } }, body: { priority } })),
  );
}
