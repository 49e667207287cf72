import { useMutation } from "@tanstack/react-query";
import { Button, IconButton } from "../../components";
import { downloadBundle } from "./actions";

export interface SelectionBarProps {
  ids: readonly string[];
  onCompare: () => void;
  onDelete: () => void;
  onClear: () => void;
}

/** What can be done with the selected results. */
export function SelectionBar({ ids, onCompare, onDelete, onClear }: SelectionBarProps) {
  const bundle = useMutation({ mutationFn: downloadBundle });
  return (
    <div className="gallery-selection" role="toolbar" aria-label="Selected results">
      <IconButton icon="close" label="End the selection" onPress={onClear} />
      <span className="gallery-selected numbers" role="status">
        {ids.length === 0 ? "Choose results" : `${ids.length} selected`}
      </span>
      <Button size="s" icon="compare" isDisabled={ids.length !== 2} onPress={onCompare}>
        Compare<span className="gallery-wide"> two</span>
      </Button>
      <Button size="s" icon="download" isDisabled={ids.length === 0} isPending={bundle.isPending} onPress={() => bundle.mutate(ids)}>
        {bundle.isPending ? "Packing…" : "Download"}
        <span className="gallery-wide"> ZIP</span>
      </Button>
      <Button size="s" icon="trash" isDisabled={ids.length === 0} onPress={onDelete}>
        Delete
      </Button>
    </div>
  );
}
