import { bounds, fact } from "../../api/limits";
import { Button, DropZone, GivenPicture, IconButton, NumberField, Select, SliderField, Switch } from "../../components";
import { ErrorDisclosure } from "./ErrorDisclosure";
import { hasError, type PanelProps, SCHEMA } from "./panel";
import type { ControlSetting } from "./request";

const CONTROL = "ControlNet";

/** Pictures whose edges, depth or poses the result follows. */
export function ControlsPanel({ settings, set, pictures, setPictures, models, errors }: PanelProps) {
  const names = models?.controlnets ?? [];
  const { controls } = pictures;
  const [first] = names;
  if (first === undefined) return null;
  const most = fact(SCHEMA, "controlnets").maxItems ?? Number.POSITIVE_INFINITY;
  const change = (id: number, part: Partial<ControlSetting>) =>
    setPictures({ controls: controls.map((control) => (control.id === id ? { ...control, ...part } : control)) });
  const add = () => {
    const id = Math.max(0, ...controls.map((control) => control.id)) + 1;
    const added = { id, name: first, image: null, weight: 1, start: 0, end: 1, preprocessor: "none" };
    setPictures({ controls: [...controls, added] });
  };
  return (
    <ErrorDisclosure
      title="ControlNets"
      summary={controls.map(({ name }) => name).join(", ") || "none"}
      hasError={hasError(errors, "controlnets", "guess_mode")}
      key={controls.length === 0 ? "none" : "some"}
      defaultExpanded={controls.length > 0}
    >
      {controls.map((control, index) => (
        <ControlEntry
          key={control.id}
          control={control}
          names={names}
          label={controls.length === 1 ? "Control picture" : `Control picture ${index + 1}`}
          onChange={(part) => change(control.id, part)}
          onRemove={() => setPictures({ controls: controls.filter(({ id }) => id !== control.id) })}
          errorOf={(field) => errors.get(`controlnets.${index}.${field}`)}
        />
      ))}
      {errors.get("controlnets") !== undefined && <span className="field-error">{errors.get("controlnets")}</span>}
      {controls.length < most && (
        <Button size="s" icon="plus" onPress={add}>
          {controls.length === 0 ? "Add a ControlNet" : "Add another"}
        </Button>
      )}
      {controls.length > 0 && (
        <Switch
          isSelected={settings.guessMode}
          onChange={(guessMode) => set({ guessMode })}
          help="The result follows the pictures without a prompt. A guidance of 3 to 5 suits it."
        >
          Guess mode
        </Switch>
      )}
    </ErrorDisclosure>
  );
}

interface EntryProps {
  control: ControlSetting;
  names: readonly string[];
  label: string;
  onChange: (part: Partial<ControlSetting>) => void;
  onRemove: () => void;
  errorOf: (field: string) => string | undefined;
}

function ControlEntry({ control, names, label, onChange, onRemove, errorOf }: EntryProps) {
  const preprocessors = fact(CONTROL, "preprocessor").values ?? [];
  return (
    <fieldset className="image-control stack-tight">
      <legend className="visually-hidden">{label}</legend>
      <div className="image-entry">
        <div className="grow">
          <Select
            label="ControlNet"
            choices={names.map((name) => ({ value: name, label: name }))}
            value={control.name}
            onChange={(name) => onChange({ name })}
            error={errorOf("name")}
          />
        </div>
        <IconButton icon="trash" label={`Remove ControlNet ${control.name}`} onPress={onRemove} />
      </div>
      {control.image === null ? (
        <DropZone label={label} onImage={(image) => onChange({ image })} error={errorOf("image")} isCompact />
      ) : (
        <>
          <GivenPicture image={control.image} label={label} onRemove={() => onChange({ image: null })} />
          {errorOf("image") !== undefined && <span className="field-error">{errorOf("image")}</span>}
        </>
      )}
      {preprocessors.length > 1 && (
        <Select
          label="Made from the picture by"
          choices={preprocessors.map((name) => ({ value: name, label: name === "none" ? "Nothing: it is a control picture" : name }))}
          value={control.preprocessor}
          onChange={(preprocessor) => onChange({ preprocessor })}
          error={errorOf("preprocessor")}
        />
      )}
      <SliderField
        label="Weight"
        value={control.weight}
        onChange={(weight) => onChange({ weight })}
        {...bounds(CONTROL, "weight")}
        sliderMax={2}
        step={0.05}
        error={errorOf("weight")}
      />
      <div className="image-pair">
        <NumberField
          label="From, share of the steps"
          value={control.start}
          onChange={(start) => !Number.isNaN(start) && onChange({ start })}
          {...bounds(CONTROL, "start")}
          step={0.05}
          error={errorOf("start")}
        />
        <NumberField
          label="To"
          value={control.end}
          onChange={(end) => !Number.isNaN(end) && onChange({ end })}
          {...bounds(CONTROL, "end")}
          step={0.05}
          error={errorOf("end")}
        />
      </div>
    </fieldset>
  );
}
