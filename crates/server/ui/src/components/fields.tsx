import { type ReactNode, useId } from "react";
import {
  Button as AriaButton,
  NumberField as AriaNumberField,
  type NumberFieldProps as AriaNumberFieldProps,
  Slider as AriaSlider,
  Switch as AriaSwitch,
  type SwitchProps as AriaSwitchProps,
  TextArea as AriaTextArea,
  TextField as AriaTextField,
  type TextFieldProps as AriaTextFieldProps,
  Group,
  Input,
  Label,
  SliderThumb,
  SliderTrack,
  Text,
} from "react-aria-components";
import { Icon } from "./icons";
import "./fields.css";

/** What all fields have. `error` is the server's sentence about the field. */
export interface FieldTexts {
  label: string;
  /** Says what the field does; short. */
  help?: ReactNode;
  error?: string | null;
  /** Whether the label is for screen readers only. */
  hidesLabel?: boolean;
}

export function FieldLabel({ label, hidesLabel = false }: FieldTexts) {
  return <Label className={hidesLabel ? "visually-hidden" : "field-label"}>{label}</Label>;
}

/** The field's help, and the error under it. Both are read out with the field. */
export function FieldNotes({ help, error }: FieldTexts) {
  return (
    <>
      {help !== undefined && !error && (
        <Text slot="description" className="field-help">
          {help}
        </Text>
      )}
      {error && (
        <Text slot="errorMessage" className="field-error">
          {error}
        </Text>
      )}
    </>
  );
}

type Without<T> = Omit<T, "className" | "children" | "isInvalid" | "validate" | "label">;

export interface TextFieldProps extends Without<AriaTextFieldProps>, FieldTexts {
  placeholder?: string;
  /** More than one shows a text area that grows with its text. */
  rows?: number;
}

/** A text. Its direction follows what is written. */
export function TextField({ label, help, error, hidesLabel, placeholder, rows = 1, ...props }: TextFieldProps) {
  return (
    <AriaTextField {...props} className="field" isInvalid={Boolean(error)} validationBehavior="aria">
      <FieldLabel label={label} hidesLabel={hidesLabel} />
      {rows > 1 ? (
        <AriaTextArea className="input textarea" rows={rows} dir="auto" placeholder={placeholder} />
      ) : (
        <Input className="input" dir="auto" placeholder={placeholder} />
      )}
      <FieldNotes label={label} help={help} error={error} />
    </AriaTextField>
  );
}

export interface NumberFieldProps extends Without<AriaNumberFieldProps>, FieldTexts {
  /** Shown when the field is empty, which means the server's choice. */
  placeholder?: string;
}

/** A number with buttons to step it. Empty is NaN. */
export function NumberField({ label, help, error, hidesLabel, placeholder, ...props }: NumberFieldProps) {
  return (
    <AriaNumberField formatOptions={PLAIN} {...props} className="field number-field" isInvalid={Boolean(error)} validationBehavior="aria">
      <FieldLabel label={label} hidesLabel={hidesLabel} />
      <Group className="input number-group">
        <Input className="number-input numbers" placeholder={placeholder} />
        <AriaButton slot="decrement" className="stepper">
          <Icon name="minus" size={14} />
        </AriaButton>
        <AriaButton slot="increment" className="stepper">
          <Icon name="plus" size={14} />
        </AriaButton>
      </Group>
      <FieldNotes label={label} help={help} error={error} />
    </AriaNumberField>
  );
}

const PLAIN: Intl.NumberFormatOptions = { useGrouping: false, maximumFractionDigits: 3 };

export interface SliderFieldProps extends FieldTexts {
  value: number;
  onChange: (value: number) => void;
  minValue: number;
  maxValue: number;
  step?: number;
  /** The slider's end, where only the number field reaches `maxValue`. */
  sliderMax?: number;
  /** Likewise its start. */
  sliderMin?: number;
  isDisabled?: boolean;
}

/** A slider with the number beside it. */
export function SliderField({
  label,
  help,
  error,
  hidesLabel,
  value,
  onChange,
  minValue,
  maxValue,
  step = 1,
  sliderMax,
  sliderMin,
  isDisabled,
}: SliderFieldProps) {
  const notes = useId();
  const first = Math.max(minValue, sliderMin ?? minValue);
  const last = Math.min(maxValue, sliderMax ?? maxValue);
  return (
    <div className="field slider-field">
      <div className="slider-row">
        <AriaSlider
          className="slider"
          value={Math.min(Math.max(value, first), last)}
          onChange={onChange}
          minValue={first}
          maxValue={last}
          step={step}
          isDisabled={isDisabled}
          aria-describedby={notes}
        >
          <Label className={hidesLabel ? "visually-hidden" : "field-label"}>{label}</Label>
          <SliderTrack className="slider-track">
            {({ state }) => (
              <>
                <div className="slider-fill" style={{ inlineSize: `${state.getThumbPercent(0) * 100}%` }} />
                <SliderThumb className="slider-thumb" />
              </>
            )}
          </SliderTrack>
        </AriaSlider>
        <AriaNumberField
          aria-label={`${label}, number`}
          aria-describedby={notes}
          className="slider-number"
          value={value}
          onChange={(next) => !Number.isNaN(next) && onChange(next)}
          minValue={minValue}
          maxValue={maxValue}
          step={step}
          formatOptions={PLAIN}
          isDisabled={isDisabled}
          isInvalid={Boolean(error)}
          validationBehavior="aria"
        >
          <Input className="input numbers" />
        </AriaNumberField>
      </div>
      <div id={notes}>
        {help !== undefined && !error && <span className="field-help">{help}</span>}
        {error && <span className="field-error">{error}</span>}
      </div>
    </div>
  );
}

export interface SwitchProps extends Omit<AriaSwitchProps, "className" | "children"> {
  children: ReactNode;
  help?: ReactNode;
}

export function Switch({ children, help, ...props }: SwitchProps) {
  const id = useId();
  return (
    <div className="field">
      <AriaSwitch {...props} className="switch" aria-describedby={help === undefined ? undefined : id}>
        <span className="switch-track" aria-hidden="true">
          <span className="switch-thumb" />
        </span>
        <span>{children}</span>
      </AriaSwitch>
      {help !== undefined && (
        <span id={id} className="field-help">
          {help}
        </span>
      )}
    </div>
  );
}
