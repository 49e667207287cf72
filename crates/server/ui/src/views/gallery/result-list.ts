import { client, unwrap } from "../../api/client";
import type { TaskEvent } from "../../api/events";
import { hasEnded, type TaskKind, type TaskStatus, type TaskSummary } from "../../api/types";

/** Which results the gallery shows. */
export interface ResultFilter {
  readonly status: readonly TaskStatus[];
  readonly kind: TaskKind | null;
  /** Words of the prompt. */
  readonly q: string;
}

/** What a view reads. It is the same object until something changes. */
export interface Results {
  /** The shown results, the newest first. */
  readonly items: readonly TaskSummary[];
  /** The place of a shown result by its id. */
  readonly places: ReadonlyMap<string, number>;
  /** Whether the server has older ones that were not read yet. */
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  /** Whether the first page was read. */
  readonly isRead: boolean;
  readonly error: unknown;
  /** New results that wait until the person asks for them, because showing them would move what is being looked at. */
  readonly waiting: number;
}

/** Reads the tasks after `after`, the newest first. */
export type ReadPage = (filter: ResultFilter, after: string | undefined, limit: number) => Promise<TaskSummary[]>;

/** Small, so that the first tiles appear at once. */
export const FIRST_PAGE = 100;
/** Further pages: few requests while someone scrolls fast, and no answer that takes long to read. */
const PAGE = 250;
/** After how many pages of new results the list starts over instead of looking for one that it knows. */
const CATCH_UP_PAGES = 4;
/** How long events are collected before the list is read again. */
const REFRESH = 400;
/** How often links are renewed at most. */
const RENEW = 60_000;

const readFromServer: ReadPage = ({ status, kind, q }, after, limit) =>
  unwrap(
    client.GET("/api/v1/tasks", {
      params: {
        query: {
          limit,
          after,
          status: [...status],
          order: "desc",
          kind: kind ?? undefined,
          q: q.trim() === "" ? undefined : q.trim(),
        },
      },
    }),
  );

/**
 * The results of the server that match a filter, read page by page.
 *
 * It is no query of the cache, because that reads every page again when one task changes: with 10,000 results on the screen, 40 requests for
 * one new picture. Here an event reads the first page again and merges it.
 */
export class ResultList {
  /** What the server has, as far as it was read; in its order. */
  #known: TaskSummary[] = [];
  #knownIds = new Set<string>();
  #hidden = new Set<string>();
  #waiting = new Set<string>();
  #holdsBack = false;
  #hasMore = true;
  #isRead = false;
  #error: unknown = null;
  #loading: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #renewed = 0;
  #results: Results;
  readonly #listeners = new Set<() => void>();

  constructor(
    readonly filter: ResultFilter,
    readonly readPage: ReadPage = readFromServer,
  ) {
    this.#results = this.#derived();
  }

  get results(): Results {
    return this.#results;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Reads the next page; does nothing while one is being read. */
  loadMore(limit = PAGE): Promise<void> {
    if (!this.#hasMore && this.#isRead) return this.#loading ?? Promise.resolve();
    this.#loading ??= this.#attempt(async () => {
      const size = this.#isRead ? limit : FIRST_PAGE;
      const page = await this.readPage(this.filter, this.#cursor(), size);
      this.#isRead = true;
      this.#hasMore = page.length === size;
      for (const task of page) {
        if (!this.#knownIds.has(task.task_id)) this.#known.push(task);
      }
      this.#index();
    });
    return this.#loading;
  }

  /** Reads all that is left, for a jump to the end. */
  async loadAll(): Promise<void> {
    while (this.#hasMore) {
      await this.loadMore(1000);
      if (this.#error !== null) return;
    }
  }

  /** Reads the newest results again, and merges them. */
  async refresh(): Promise<void> {
    if (this.#loading !== null) await this.#loading;
    if (!this.#isRead) return this.loadMore();
    this.#loading ??= this.#attempt(() => this.#merge());
    return this.#loading;
  }

  /** Reads all again that was read: its links may have expired. */
  async renewLinks(): Promise<void> {
    if (Date.now() - this.#renewed < RENEW) return;
    this.#renewed = Date.now();
    const count = this.#known.length;
    if (this.#loading !== null) await this.#loading;
    const fresh: TaskSummary[] = [];
    while (fresh.length < count) {
      const page = await this.readPage(this.filter, fresh.at(-1)?.task_id, 1000).catch(() => []);
      if (page.length === 0) break;
      fresh.push(...page);
    }
    const byId = new Map(fresh.map((task) => [task.task_id, task]));
    this.#known = this.#known.map((task) => byId.get(task.task_id) ?? task);
    this.#announce();
  }

  apply({ kind, data }: TaskEvent) {
    if (data.task_id === undefined) return;
    if (kind === "forgotten") this.forget([data.task_id]);
    else if (data.status !== undefined && hasEnded(data.status)) this.#refreshSoon();
  }

  /** Whether new results wait instead of moving those that are shown. */
  holdBack(holds: boolean) {
    this.#holdsBack = holds;
    if (!holds) this.showWaiting();
  }

  showWaiting() {
    if (this.#waiting.size === 0) return;
    this.#waiting.clear();
    this.#announce();
  }

  /** Takes results off the list while the server deletes them. */
  hide(ids: readonly string[]) {
    for (const id of ids) this.#hidden.add(id);
    this.#announce();
  }

  /** Puts results back to where they were, because they could not be deleted. */
  restore(ids: readonly string[]) {
    for (const id of ids) this.#hidden.delete(id);
    this.#announce();
  }

  /** Drops results that the server does not have any more. */
  forget(ids: readonly string[]) {
    const gone = new Set(ids.filter((id) => this.#knownIds.has(id)));
    if (gone.size === 0) return;
    this.#known = this.#known.filter(({ task_id }) => !gone.has(task_id));
    for (const id of gone) {
      this.#hidden.delete(id);
      this.#waiting.delete(id);
    }
    this.#index();
    this.#announce();
  }

  stop() {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** The id after which to read on: one that is not being deleted, because the server must know it. */
  #cursor(): string | undefined {
    return this.#known.findLast(({ task_id }) => !this.#hidden.has(task_id))?.task_id;
  }

  async #merge() {
    const head: TaskSummary[] = [];
    let isComplete = false;
    for (let pages = 0; pages < CATCH_UP_PAGES && !isComplete; pages += 1) {
      const page = await this.readPage(this.filter, head.at(-1)?.task_id, FIRST_PAGE);
      head.push(...page);
      isComplete = page.length < FIRST_PAGE;
      if (page.some(({ task_id }) => this.#knownIds.has(task_id))) break;
    }
    if (this.#holdsBack) {
      for (const { task_id } of head) {
        if (!this.#knownIds.has(task_id)) this.#waiting.add(task_id);
      }
    }
    const last = head.at(-1)?.task_id;
    const place = this.#known.findIndex(({ task_id }) => task_id === last);
    // Without a result that both know, nothing says what lies between them: older ones are read again when they are scrolled to.
    const older = isComplete || place < 0 ? [] : this.#known.slice(place + 1);
    if (isComplete) this.#hasMore = false;
    else if (place < 0) this.#hasMore = true;
    this.#known = [...head, ...older];
    this.#index();
  }

  #refreshSoon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.refresh();
    }, REFRESH);
  }

  async #attempt(work: () => Promise<void>) {
    try {
      const running = work();
      // After `work` began, so that its first await sees the state before it.
      queueMicrotask(() => this.#announce());
      await running;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    } finally {
      this.#loading = null;
      this.#announce();
    }
  }

  #index() {
    this.#knownIds = new Set(this.#known.map(({ task_id }) => task_id));
  }

  #derived(): Results {
    const items = this.#known.filter(({ task_id }) => !this.#hidden.has(task_id) && !this.#waiting.has(task_id));
    return {
      items,
      places: new Map(items.map(({ task_id }, index) => [task_id, index])),
      hasMore: this.#hasMore,
      isLoading: this.#loading !== null,
      isRead: this.#isRead,
      error: this.#error,
      waiting: this.#waiting.size,
    };
  }

  #announce() {
    this.#results = this.#derived();
    for (const listener of this.#listeners) listener();
  }
}
