import { Button as AriaButton, Input, Label, SearchField, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import type { TaskKind, TaskStatus } from "../../api/types";
import { Icon, Select } from "../../components";
import { isTileSize, type TileSize } from "./tile-sizes";

export type KindChoice = TaskKind | "all";
export type StatusChoice = "completed" | "failed" | "cancelled" | "ended";

export interface ToolbarValues {
  readonly search: string;
  readonly kind: KindChoice;
  readonly status: StatusChoice;
}

const KINDS: readonly { value: KindChoice; label: string }[] = [
  { value: "all", label: "All kinds" },
  { value: "image", label: "Images" },
  { value: "video", label: "Videos" },
  { value: "upscale", label: "Enlarged images" },
];

const STATUSES: readonly { value: StatusChoice; label: string }[] = [
  { value: "completed", label: "Completed" },
  { value: "failed", label: "Failed" },
  { value: "cancelled", label: "Cancelled" },
  { value: "ended", label: "All of these" },
];

/** The statuses that a choice means. Tasks that wait or run are in the queue. */
export function statusesOf(choice: StatusChoice): readonly TaskStatus[] {
  return choice === "ended" ? ["completed", "failed", "cancelled"] : [choice];
}

const SIZES: readonly { id: TileSize; letter: string; label: string }[] = [
  { id: "small", letter: "S", label: "Small tiles" },
  { id: "medium", letter: "M", label: "Medium tiles" },
  { id: "large", letter: "L", label: "Large tiles" },
];

export interface ToolbarProps {
  values: ToolbarValues;
  onChange: (values: ToolbarValues) => void;
  size: TileSize;
  onSize: (size: TileSize) => void;
}

/** The search, the filters, and the size of the tiles. */
export function Toolbar({ values, onChange, size, onSize }: ToolbarProps) {
  return (
    <div className="gallery-tools">
      <SearchField className="gallery-search" value={values.search} onChange={(search) => onChange({ ...values, search })}>
        {({ isEmpty }) => (
          <>
            <Label className="visually-hidden">Search prompts</Label>
            <Icon name="search" size={18} />
            <Input className="input" placeholder="Search prompts" dir="auto" />
            {!isEmpty && (
              <AriaButton className="gallery-search-clear">
                <Icon name="close" size={16} />
              </AriaButton>
            )}
          </>
        )}
      </SearchField>
      <div className="gallery-filters">
        <Select label="Kind" hidesLabel choices={KINDS} value={values.kind} onChange={(kind) => onChange({ ...values, kind })} />
        <Select label="Status" hidesLabel choices={STATUSES} value={values.status} onChange={(status) => onChange({ ...values, status })} />
        <ToggleButtonGroup
          className="gallery-sizes"
          aria-label="Size of the tiles"
          selectionMode="single"
          disallowEmptySelection
          selectedKeys={[size]}
          onSelectionChange={([chosen]) => isTileSize(chosen) && onSize(chosen)}
        >
          {SIZES.map(({ id, letter, label }) => (
            <ToggleButton key={id} id={id} className="gallery-size" aria-label={label}>
              {letter}
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
      </div>
    </div>
  );
}
