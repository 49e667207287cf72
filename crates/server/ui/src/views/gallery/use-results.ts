import { useEffect, useMemo, useSyncExternalStore } from "react";
import { useSession } from "../../api/session";
import { type TaskStore, taskStore, useConnection } from "../../api/task-store";
import { type ResultFilter, ResultList, type Results } from "./result-list";
import type { ToolbarValues } from "./Toolbar";

/** What coming back to the gallery finds as it was left. */
interface Visit {
  list?: ResultList;
  key?: string | null;
  values?: ToolbarValues;
  scroll?: number;
}

const visits = new WeakMap<TaskStore, Visit>();

/** The visit of this page's store; none outlives it. */
export function visit(): Visit {
  const store = taskStore();
  const known = visits.get(store) ?? {};
  visits.set(store, known);
  return known;
}

function isSame(a: ResultFilter, b: ResultFilter): boolean {
  return a.kind === b.kind && a.q === b.q && a.status.join() === b.status.join();
}

/** The results that match the filter, kept up to date by the server's events. */
export function useResults(filter: ResultFilter): { list: ResultList; results: Results } {
  const { key } = useSession();
  const connection = useConnection();
  const list = useMemo(() => {
    const before = visit();
    if (before.list === undefined || before.key !== key || !isSame(before.list.filter, filter)) {
      before.list = new ResultList(filter);
      before.key = key;
    }
    return before.list;
  }, [filter, key]);
  const results = useSyncExternalStore(list.subscribe, () => list.results);
  useEffect(() => {
    const stop = taskStore().watch((event) => list.apply(event));
    return () => {
      stop();
      list.stop();
    };
  }, [list]);
  // Events that came while the connection was lost are made up for; a list from an earlier visit as well.
  useEffect(() => {
    if (connection !== "lost") void list.refresh();
  }, [list, connection]);
  return { list, results };
}
