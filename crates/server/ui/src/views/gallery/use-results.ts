import { useEffect, useMemo, useSyncExternalStore } from "react";
import { useSession } from "../../api/session";
import { taskStore, useConnection } from "../../api/task-store";
import { type ResultFilter, ResultList, type Results } from "./result-list";

/** The list that was shown last: coming back to the gallery finds it as it was. */
let last: { list: ResultList; key: string | null } | null = null;

function isSame(a: ResultFilter, b: ResultFilter): boolean {
  return a.kind === b.kind && a.q === b.q && a.status.join() === b.status.join();
}

/** The results that match the filter, kept up to date by the server's events. */
export function useResults(filter: ResultFilter): { list: ResultList; results: Results } {
  const { key } = useSession();
  const connection = useConnection();
  const list = useMemo(() => {
    if (last === null || last.key !== key || !isSame(last.list.filter, filter)) last = { list: new ResultList(filter), key };
    return last.list;
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
