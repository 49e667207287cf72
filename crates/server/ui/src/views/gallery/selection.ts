/** The selected results: their ids, in the order in which they were selected, and where a range starts. */
export interface Selection {
  readonly ids: ReadonlySet<string>;
  readonly anchor: string | null;
}

export const NOTHING: Selection = { ids: new Set(), anchor: null };

/** Adds the result, or takes it away. */
export function toggled({ ids }: Selection, id: string): Selection {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return { ids: next, anchor: id };
}

/** All from the anchor, or else from `start`, to the result; what was selected before stays. */
export function extended({ ids, anchor }: Selection, to: string, order: readonly string[], start: string = to): Selection {
  const from = anchor !== null && order.includes(anchor) ? anchor : start;
  const [first, last] = [order.indexOf(from), order.indexOf(to)].sort((a, b) => a - b);
  if (first === undefined || last === undefined || first < 0) return toggled({ ids: new Set(ids), anchor }, to);
  return { ids: new Set([...ids, ...order.slice(first, last + 1)]), anchor: from };
}

/** The selection without results that are not in the list any more. */
export function pruned(selection: Selection, exists: (id: string) => boolean): Selection {
  const left = [...selection.ids].filter(exists);
  if (left.length === selection.ids.size) return selection;
  return { ids: new Set(left), anchor: selection.anchor !== null && exists(selection.anchor) ? selection.anchor : null };
}

/** Where a key moves from a place in a grid; null if it moves nowhere. */
export function moved(key: string, place: number, { count, columns, pageRows }: { count: number; columns: number; pageRows: number }) {
  const last = count - 1;
  const within = (target: number) => Math.min(Math.max(target, 0), last);
  switch (key) {
    case "ArrowLeft":
      return within(place - 1);
    case "ArrowRight":
      return within(place + 1);
    case "ArrowUp":
      return place - columns < 0 ? place : place - columns;
    case "ArrowDown":
      // The last row may be shorter: down from above its gap goes to its end.
      return Math.floor(place / columns) === Math.floor(last / columns) ? place : within(place + columns);
    case "PageUp":
      return place - columns * pageRows < 0 ? place % columns : place - columns * pageRows;
    case "PageDown":
      return within(place + columns * pageRows);
    case "Home":
      return place - (place % columns);
    case "End":
      return within(place - (place % columns) + columns - 1);
    default:
      return null;
  }
}
