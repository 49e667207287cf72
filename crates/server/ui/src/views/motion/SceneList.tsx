import { Button as AriaButton, DropIndicator, GridList, GridListItem, type Selection, useDragAndDrop } from "react-aria-components";
import type { TimelineEntry } from "../../api/types";
import { Button, Icon, IconButton, Menu } from "../../components";
import { joinName } from "./names";
import { seconds } from "./Player";
import { counted } from "./parts";
import type { SceneDraft } from "./scene-draft";

export interface SceneListProps {
  scenes: readonly SceneDraft[];
  selected: string;
  onSelect: (id: string) => void;
  /** Small pictures of scenes, by their ids. */
  stills: Readonly<Record<string, string>>;
  /** The scenes whose pictures are of an earlier version of them. */
  stale: ReadonlySet<string>;
  /** The scenes that have faults, from 0. */
  faulty: readonly number[];
  timeline: readonly TimelineEntry[];
  mostScenes: number;
  onAdd: () => void;
  onCopy: (id: string) => void;
  onRemove: (id: string) => void;
  onMoveBy: (id: string, by: -1 | 1) => void;
  onMoveTo: (moved: ReadonlySet<unknown>, target: unknown, place: "before" | "after") => void;
}

/** The scenes in their order. They are moved by drag and drop, by the keyboard (Enter on the handle), and from each one's menu. */
export function SceneList(props: SceneListProps) {
  const { scenes, selected, onSelect, mostScenes, onAdd, onMoveTo } = props;
  const { dragAndDropHooks } = useDragAndDrop({
    getItems: (keys) => [...keys].map((key) => ({ "text/plain": scenes.find(({ id }) => id === key)?.prompt ?? "" })),
    onReorder: ({ keys, target }) => target.dropPosition !== "on" && onMoveTo(keys, target.key, target.dropPosition),
    renderDropIndicator: (target) => <DropIndicator target={target} className="scene-drop" />,
    renderDragPreview: (items) => <div className="scene-dragged">{items.map((item) => item["text/plain"]).join(", ") || "Scene"}</div>,
  });
  const select = (keys: Selection) => {
    const [first] = keys === "all" ? [] : keys;
    if (first !== undefined) onSelect(String(first));
  };
  return (
    <div className="stack-tight">
      <GridList
        className="scenes"
        aria-label="Scenes"
        items={scenes}
        dependencies={[props]}
        selectionMode="single"
        selectionBehavior="replace"
        disallowEmptySelection
        selectedKeys={[selected]}
        onSelectionChange={select}
        dragAndDropHooks={dragAndDropHooks}
      >
        {(scene) => <SceneRow scene={scene} {...props} />}
      </GridList>
      {scenes.length < mostScenes ? (
        <Button icon="plus" onPress={onAdd}>
          Add a scene
        </Button>
      ) : (
        <span className="field-help">A video has at most {mostScenes} scenes.</span>
      )}
    </div>
  );
}

/** The server refuses a video of fewer. */
const LEAST_SCENES = 2;

function SceneRow({ scene, ...props }: SceneListProps & { scene: SceneDraft }) {
  const { scenes, stills, stale, faulty, timeline, mostScenes, onCopy, onRemove, onMoveBy } = props;
  const index = scenes.indexOf(scene);
  const isLast = index === scenes.length - 1;
  const entry = timeline.find(({ kind, scene: of }) => kind === "scene" && of === index);
  const still = stills[scene.id];
  const facts = [
    seconds(scene.duration),
    entry === undefined ? null : counted(entry.frames, "frame"),
    scene.moves ? "moving" : null,
    isLast ? null : joinName(scene.join).toLowerCase(),
  ];
  const name = `Scene ${index + 1}`;
  return (
    <GridListItem id={scene.id} className="scene" textValue={`${name}: ${scene.prompt.trim() || "no prompt yet"}`}>
      <AriaButton slot="drag" className="scene-handle" aria-label={`Move ${name.toLowerCase()}`}>
        <Icon name="drag" size={18} />
      </AriaButton>
      <span className="scene-picture" data-stale={stale.has(scene.id) || undefined}>
        {still !== undefined && <img src={still} alt="" />}
        <span className="scene-number numbers" data-small={still !== undefined || undefined}>
          {index + 1}
        </span>
      </span>
      <span className="scene-texts">
        <span className="scene-prompt" dir="auto" data-blank={scene.prompt.trim() === "" || undefined}>
          {scene.prompt.trim() || "No prompt yet"}
        </span>
        <span className="scene-facts numbers">{facts.filter((fact) => fact !== null).join(" · ")}</span>
      </span>
      {faulty.includes(index) && (
        <span className="scene-fault" role="img" aria-label="Has errors">
          <Icon name="warning" size={18} />
        </span>
      )}
      <Menu
        label={`${name}: actions`}
        entries={[
          { id: "up", label: "Move up", isDisabled: index === 0, onAction: () => onMoveBy(scene.id, -1) },
          { id: "down", label: "Move down", isDisabled: isLast, onAction: () => onMoveBy(scene.id, 1) },
          { id: "copy", label: "Duplicate", isDisabled: scenes.length >= mostScenes, onAction: () => onCopy(scene.id) },
          { id: "remove", label: "Remove", isDanger: true, isDisabled: scenes.length <= LEAST_SCENES, onAction: () => onRemove(scene.id) },
        ]}
      >
        <IconButton icon="more" size="s" label={`${name}: actions`} />
      </Menu>
    </GridListItem>
  );
}
