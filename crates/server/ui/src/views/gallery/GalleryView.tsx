import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useLocation, useRoute } from "wouter";
import { messageOf } from "../../api/problems";
import { usePersistent } from "../../app/persistent";
import { Button, EmptyState, ErrorMessage, ProgressBar } from "../../components";
import { confirmDelete, deleteResults } from "./actions";
import { Compare } from "./Compare";
import { DroppedPicture } from "./DroppedPicture";
import { type GridHandle, ResultGrid } from "./ResultGrid";
import type { ResultFilter, ResultList } from "./result-list";
import { SelectionBar } from "./SelectionBar";
import { NOTHING, pruned, type Selection } from "./selection";
import { statusesOf, Toolbar, type ToolbarValues } from "./Toolbar";
import { isTileSize, type TileSize } from "./tile-sizes";
import { useResults, visit } from "./use-results";
import { Viewer } from "./Viewer";
import "./gallery.css";

/** How far someone has scrolled when new results stop coming in by themselves. */
const AT_TOP = 40;
/** How long the search waits for the next letter. */
const TYPING = 200;

const EVERYTHING: ToolbarValues = { search: "", kind: "all", status: "completed" };

/** The results of the server: search, look, compare, download and delete. */
export default function GalleryView() {
  const [values, setValues] = useState(() => visit().values ?? EVERYTHING);
  useEffect(() => {
    visit().values = values;
  }, [values]);
  const [size, setSize] = usePersistent<TileSize>("gallery.size", (stored) => (isTileSize(stored) ? stored : "medium"));
  const q = useSettled(values.search.trim(), TYPING);
  const filter = useMemo<ResultFilter>(
    () => ({ q, kind: values.kind === "all" ? null : values.kind, status: statusesOf(values.status) }),
    [q, values.kind, values.status],
  );
  const { list, results } = useResults(filter);
  const { items, places } = results;

  const [chosen, setChosen] = useState<Selection>(NOTHING);
  const selection = useMemo(() => pruned(chosen, (id) => places.has(id)), [chosen, places]);
  const [isChoosing, setChoosing] = useState(false);
  const isSelecting = isChoosing || selection.ids.size > 0;
  const endSelection = () => {
    setChosen(NOTHING);
    setChoosing(false);
  };

  const grid = useRef<GridHandle>(null);
  const [, navigate] = useLocation();
  const [, comparing] = useRoute("/gallery/compare/:a/:b");
  const [, viewing] = useRoute("/gallery/:id");
  const openId = viewing?.id ?? null;
  const close = () => {
    navigate("/gallery");
    // The dialog gives the focus back to the tile that opened it; it belongs to the one that was looked at last.
    if (openId !== null) setTimeout(() => grid.current?.focus(openId), 60);
  };

  useScrollMemory(list, items.length > 0);
  useEffect(() => {
    const scrolled = () => list.holdBack(window.scrollY > AT_TOP);
    scrolled();
    window.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      window.removeEventListener("scroll", scrolled);
      list.holdBack(false);
    };
  }, [list]);

  const remove = async (ids: readonly string[]) => {
    const tasks = ids.flatMap((id) => items[places.get(id) ?? -1] ?? []);
    if (tasks.length === 0 || !(await confirmDelete(tasks))) return false;
    endSelection();
    void deleteResults(list, ids);
    return true;
  };
  const readOn = useCallback(() => void list.loadMore(), [list]);

  const isFiltered = values.search.trim() !== "" || values.kind !== "all" || values.status !== "completed";
  return (
    <div className="page gallery">
      <div className="gallery-head">
        <h1>Gallery</h1>
        <span className="gallery-count muted small numbers">
          {results.isRead && items.length > 0 && counted(items.length, results.hasMore)}
        </span>
        <Announcement key={JSON.stringify(filter)} text={results.isRead ? counted(items.length, results.hasMore) : null} />
        <DroppedPicture />
        <Button size="s" icon="check" isDisabled={items.length === 0 || isSelecting} onPress={() => setChoosing(true)}>
          Select
        </Button>
      </div>
      <div className="gallery-bar">
        {isSelecting ? (
          <SelectionBar
            ids={[...selection.ids]}
            onCompare={() => navigate(`/gallery/compare/${[...selection.ids].map(encodeURIComponent).join("/")}`)}
            onDelete={() => void remove([...selection.ids])}
            onClear={endSelection}
          />
        ) : (
          <Toolbar values={values} onChange={setValues} size={size} onSize={setSize} />
        )}
        <div className="gallery-new" role="status">
          {results.waiting > 0 && (
            <Button
              size="s"
              variant="primary"
              onPress={() => {
                list.showWaiting();
                window.scrollTo({ top: 0 });
              }}
            >
              {results.waiting === 1 ? "1 new result" : `${results.waiting} new results`}
            </Button>
          )}
        </div>
      </div>
      {results.error !== null && (
        <ErrorMessage
          action={
            <Button size="s" onPress={() => void list.refresh()}>
              Try again
            </Button>
          }
        >
          {messageOf(results.error)}
        </ErrorMessage>
      )}
      {results.isRead && items.length === 0 && !results.isLoading && (
        <Nothing isFiltered={isFiltered} onReset={() => setValues(EVERYTHING)} />
      )}
      {!results.isRead && results.error === null && <ProgressBar label="Reading the results" />}
      {items.length > 0 && (
        <ResultGrid
          ref={grid}
          results={results}
          size={size}
          selection={selection}
          onSelect={setChosen}
          isSelecting={isSelecting}
          onOpen={(id) => navigate(`/gallery/${encodeURIComponent(id)}`)}
          onDelete={(ids) => void remove(ids)}
          onEnd={readOn}
          onReadAll={() => list.loadAll()}
          onBrokenLink={() => void list.renewLinks()}
        />
      )}
      <Viewer
        id={openId}
        results={results}
        onMove={(id) => {
          navigate(`/gallery/${encodeURIComponent(id)}`, { replace: true });
          if ((places.get(id) ?? 0) > items.length - 5) readOn();
        }}
        onClose={close}
        onDelete={(ids) => remove(ids)}
      />
      <Compare ids={comparing ? [comparing.a ?? "", comparing.b ?? ""] : null} onClose={() => navigate("/gallery")} />
    </div>
  );
}

function counted(count: number, hasMore: boolean): string {
  const number = count.toLocaleString("en");
  if (hasMore) return `more than ${number} results`;
  return count === 1 ? "1 result" : `${number} results`;
}

/** Reads out how many results a search has: once, and not again for each page. */
function Announcement({ text }: { text: string | null }) {
  const [first, setFirst] = useState<string | null>(null);
  if (first === null && text !== null) setFirst(text);
  return (
    <span role="status" className="visually-hidden">
      {first}
    </span>
  );
}

function Nothing({ isFiltered, onReset }: { isFiltered: boolean; onReset: () => void }) {
  const [, navigate] = useLocation();
  if (isFiltered) {
    return (
      <EmptyState icon="search" title="Nothing matches" action={<Button onPress={onReset}>Show all results</Button>}>
        No result has these words, this kind and this status.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon="gallery"
      title="No results yet"
      action={
        <Button variant="primary" onPress={() => navigate("/image")}>
          Make an image
        </Button>
      }
    >
      Images and videos that this server makes for you are kept here.
    </EmptyState>
  );
}

/** A value once it has not changed for a while. */
function useSettled<T>(value: T, milliseconds: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return useDeferredValue(settled);
}

/** Scrolls to where the same list was left. */
function useScrollMemory(list: ResultList, isShown: boolean) {
  const isRestored = useRef(false);
  const scroll = useRef(0);
  useEffect(() => {
    if (!isShown || isRestored.current) return;
    isRestored.current = true;
    const top = visit().scroll ?? 0;
    visit().scroll = 0;
    // After the grid has its height.
    if (top > 0) requestAnimationFrame(() => window.scrollTo({ top }));
  }, [isShown]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list begins at its top.
  useEffect(() => {
    const remember = () => {
      scroll.current = window.scrollY;
    };
    window.addEventListener("scroll", remember, { passive: true });
    return () => {
      window.removeEventListener("scroll", remember);
      visit().scroll = scroll.current;
    };
  }, [list]);
}
