import { defaultRangeExtractor, type Range, useWindowVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type MouseEvent,
  type Ref,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { ResultTile } from "./ResultTile";
import type { Results } from "./result-list";
import { extended, moved, type Selection, toggled } from "./selection";
import { columnsFor, GAP, type TileSize } from "./tile-sizes";
import { useFastScroll } from "./use-fast-scroll";
import "./grid.css";

/** Rows beyond the screen that are there already when someone scrolls. */
const OVERSCAN = 4;
/** How many rows before the end of what was read the next page is asked for. */
const AHEAD = 12;
/** What stays free below a tile that is scrolled to: the navigation of a phone. */
const BELOW = 84;

export interface GridHandle {
  /** Moves the focus to a result, wherever it is scrolled to. */
  focus(id: string): void;
}

export interface ResultGridProps {
  results: Results;
  size: TileSize;
  selection: Selection;
  onSelect: (selection: Selection) => void;
  /** Whether a press selects instead of opening. */
  isSelecting: boolean;
  onOpen: (id: string) => void;
  onDelete: (ids: readonly string[]) => void;
  onEnd: () => void;
  /** Reads all the rest; for the key that goes to the end. */
  onReadAll: () => Promise<void>;
  onBrokenLink: () => void;
  ref: Ref<GridHandle>;
}

/** All results as a grid of tiles, of which only those on the screen exist. Arrow keys move in it. */
export function ResultGrid({
  results,
  size,
  selection,
  onSelect,
  isSelecting,
  onOpen,
  onDelete,
  onEnd,
  onReadAll,
  onBrokenLink,
  ref,
}: ResultGridProps) {
  const { items, places, hasMore } = results;
  const grid = useRef<HTMLDivElement>(null);
  const { width, top, above } = usePlace(grid);
  const columns = columnsFor(width, size);
  const rowHeight = columns === 0 ? 1 : (width - GAP * (columns - 1)) / columns + GAP;
  const rowCount = columns === 0 ? 0 : Math.ceil(items.length / columns);

  const [active, setActive] = useState<string | null>(null);
  const activePlace = (active === null ? undefined : places.get(active)) ?? 0;
  const activeRow = columns === 0 ? 0 : Math.floor(activePlace / columns);
  const wantsFocus = useRef(false);
  const isFast = useFastScroll();

  const virtual = useWindowVirtualizer({
    count: rowCount,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN,
    scrollMargin: top,
    scrollPaddingStart: above + GAP,
    scrollPaddingEnd: BELOW,
    // The row with the focus stays, or scrolling away would lose it.
    rangeExtractor: useCallback(
      (range: Range) => {
        const rows = defaultRangeExtractor(range);
        return activeRow >= range.count || rows.includes(activeRow) ? rows : [...rows, activeRow].sort((a, b) => a - b);
      },
      [activeRow],
    ),
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows are measured again when their height changes.
  useLayoutEffect(() => virtual.measure(), [rowHeight]);

  const rows = virtual.getVirtualItems();
  const lastRow = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && lastRow + AHEAD >= rowCount) onEnd();
  }, [hasMore, lastRow, rowCount, onEnd]);

  const goTo = useCallback(
    (id: string, place: number) => {
      wantsFocus.current = true;
      setActive(id);
      if (columns > 0) virtual.scrollToIndex(Math.floor(place / columns));
    },
    [columns, virtual],
  );
  useImperativeHandle(ref, () => ({
    focus(id) {
      const place = places.get(id);
      if (place !== undefined) goTo(id, place);
    },
  }));
  useLayoutEffect(() => {
    if (!wantsFocus.current || active === null) return;
    const cell = grid.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(active)}"]`);
    if (!cell) return;
    wantsFocus.current = false;
    cell.focus({ preventScroll: true });
  });
  useNeighbourOfDeleted(active, results, goTo);

  const order = useMemo(() => items.map(({ task_id }) => task_id), [items]);

  const press = (event: MouseEvent) => {
    const target = event.target instanceof Element ? event.target : null;
    const id = target?.closest<HTMLElement>("[data-id]")?.dataset.id;
    if (id === undefined) return;
    setActive(id);
    if (event.shiftKey) onSelect(extended(selection, id, order, active ?? id));
    else if (isSelecting || event.ctrlKey || event.metaKey || target?.closest(".gallery-check")) onSelect(toggled(selection, id));
    else onOpen(id);
  };

  const keyDown = (event: KeyboardEvent) => {
    const id = order[activePlace];
    if (id === undefined || event.altKey) return;
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && event.key === "a") {
      onSelect({ ids: new Set(order), anchor: id });
    } else if (isCommand && event.key === "End") {
      void onReadAll().then(() => setToEnd(true));
    } else if (event.key === " ") {
      onSelect(event.shiftKey ? extended(selection, id, order) : toggled(selection, id));
    } else if (event.key === "Enter") {
      onOpen(id);
    } else if (event.key === "Delete") {
      onDelete(selection.ids.size > 0 ? [...selection.ids] : [id]);
    } else if (event.key === "Escape" && selection.ids.size > 0) {
      onSelect({ ids: new Set(), anchor: null });
    } else {
      const pageRows = Math.max(1, Math.floor((window.innerHeight - above - BELOW) / rowHeight));
      const target = isCommand && event.key === "Home" ? 0 : moved(event.key, activePlace, { count: order.length, columns, pageRows });
      const next = target === null ? undefined : order[target];
      if (target === null || next === undefined) return;
      if (event.shiftKey) onSelect(extended(selection, next, order, id));
      goTo(next, target);
    }
    event.preventDefault();
  };

  // The list has its end only after all of it was read.
  const [toEnd, setToEnd] = useState(false);
  useEffect(() => {
    if (!toEnd) return;
    setToEnd(false);
    const last = order.at(-1);
    if (last !== undefined) goTo(last, order.length - 1);
  }, [toEnd, order, goTo]);

  return (
    // A table can't place its rows freely, so roles say what this is.
    // biome-ignore lint/a11y/useSemanticElements: see above.
    <div
      ref={grid}
      role="grid"
      aria-label="Results"
      aria-multiselectable="true"
      aria-rowcount={hasMore ? -1 : rowCount}
      aria-colcount={Math.max(columns, 1)}
      className="gallery-grid"
      data-selecting={isSelecting || undefined}
      style={{ blockSize: virtual.getTotalSize() }}
      onClick={press}
      onKeyDown={keyDown}
    >
      {rows.map(({ index, start }) => (
        // biome-ignore lint/a11y/useSemanticElements: a table can't place its rows freely.
        // biome-ignore lint/a11y/useFocusableInteractive: its cells have the focus.
        <div
          key={index}
          role="row"
          aria-rowindex={index + 1}
          className="gallery-row"
          style={{
            transform: `translateY(${start - top}px)`,
            gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
            blockSize: rowHeight - GAP,
          }}
        >
          {items.slice(index * columns, (index + 1) * columns).map((task, column) => (
            <ResultTile
              key={task.task_id}
              task={task}
              column={column + 1}
              isSelected={selection.ids.has(task.task_id)}
              isFast={isFast}
              isTabStop={index * columns + column === activePlace}
              onBrokenLink={onBrokenLink}
            />
          ))}
        </div>
      ))}
    </div>
  );
}

/** How wide an element is, how far from the page's top, and how much of the screen above it the toolbar covers. */
function usePlace(element: { current: HTMLElement | null }) {
  const [place, setPlace] = useState({ width: 0, top: 0, above: 0 });
  useLayoutEffect(() => {
    const node = element.current;
    if (node === null) return;
    const measure = () => {
      const { width, top } = node.getBoundingClientRect();
      const above = node.parentElement?.querySelector<HTMLElement>(".gallery-bar")?.offsetHeight ?? 0;
      const next = { width: Math.floor(width), top: Math.round(top + window.scrollY), above };
      const isSame = (before: typeof next) => before.width === next.width && before.top === next.top && before.above === above;
      setPlace((before) => (isSame(before) ? before : next));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    // What stands above may grow: the toolbar wraps, a message appears.
    for (const sibling of node.parentElement?.children ?? []) observer.observe(sibling);
    return () => observer.disconnect();
  }, [element]);
  return place;
}

/** When the result with the focus is deleted, the one that takes its place gets it. */
function useNeighbourOfDeleted(active: string | null, { items, places }: Results, goTo: (id: string, place: number) => void) {
  const before = useRef(0);
  useEffect(() => {
    if (active === null) return;
    const place = places.get(active);
    if (place !== undefined) {
      before.current = place;
      return;
    }
    const next = Math.min(before.current, items.length - 1);
    const neighbour = items[next];
    // A dialog that asked about it gives the focus back first.
    const timer = setTimeout(() => {
      if (neighbour !== undefined && !document.querySelector('[role="dialog"], [role="alertdialog"]')) goTo(neighbour.task_id, next);
    }, 50);
    return () => clearTimeout(timer);
  }, [active, items, places, goTo]);
}
