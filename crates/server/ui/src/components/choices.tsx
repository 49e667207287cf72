import type { ReactElement, ReactNode } from "react";
import {
  Button as AriaButton,
  ComboBox as AriaComboBox,
  Menu as AriaMenu,
  MenuItem as AriaMenuItem,
  Select as AriaSelect,
  Group,
  Input,
  type Key,
  ListBox,
  ListBoxItem,
  MenuTrigger,
  Popover,
  SelectValue,
} from "react-aria-components";
import { FieldLabel, FieldNotes, type FieldTexts } from "./fields";
import { Icon, type IconName } from "./icons";

export interface Choice<Value extends string = string> {
  value: Value;
  label: string;
  /** A second line. */
  note?: string;
}

function Choices({ choices }: { choices: readonly Choice[] }) {
  return (
    <Popover className="popover" offset={4}>
      <ListBox className="options" items={choices.map((choice) => ({ ...choice, id: choice.value }))}>
        {(choice) => (
          <ListBoxItem className="option" id={choice.id} textValue={choice.label}>
            {({ isSelected }) => (
              <>
                <span className="option-texts">
                  <span>{choice.label}</span>
                  {choice.note !== undefined && <span className="option-note">{choice.note}</span>}
                </span>
                {isSelected && <Icon name="check" size={16} />}
              </>
            )}
          </ListBoxItem>
        )}
      </ListBox>
    </Popover>
  );
}

export interface SelectProps<Value extends string> extends FieldTexts {
  choices: readonly Choice<Value>[];
  value: Value | null;
  onChange: (value: Value) => void;
  placeholder?: string;
  isDisabled?: boolean;
}

/** One of a few. */
export function Select<Value extends string>({ choices, value, onChange, placeholder, isDisabled, ...texts }: SelectProps<Value>) {
  return (
    <AriaSelect
      className="field"
      value={value}
      onChange={(key: Key | null) => key !== null && onChange(String(key) as Value)}
      placeholder={placeholder}
      isDisabled={isDisabled}
      isInvalid={Boolean(texts.error)}
      validationBehavior="aria"
    >
      <FieldLabel {...texts} />
      <AriaButton className="input select-button">
        <SelectValue>{({ selectedText, defaultChildren }) => selectedText ?? defaultChildren}</SelectValue>
        <Icon name="chevron" size={16} />
      </AriaButton>
      <FieldNotes {...texts} />
      <Choices choices={choices} />
    </AriaSelect>
  );
}

export interface ComboBoxProps extends FieldTexts {
  choices: readonly Choice[];
  /** Called with a chosen value. */
  value: string | null;
  onChange: (value: string) => void;
  placeholder?: string;
  isDisabled?: boolean;
}

/** One of many, found by typing. */
export function ComboBox({ choices, value, onChange, placeholder, isDisabled, ...texts }: ComboBoxProps) {
  return (
    <AriaComboBox
      className="field"
      value={value}
      onChange={(key: Key | null) => key !== null && onChange(String(key))}
      defaultItems={choices.map((choice) => ({ ...choice, id: choice.value }))}
      menuTrigger="focus"
      isDisabled={isDisabled}
      isInvalid={Boolean(texts.error)}
      validationBehavior="aria"
    >
      <FieldLabel {...texts} />
      <Group className="input combo-group">
        <Input className="number-input" placeholder={placeholder} />
        <AriaButton className="stepper">
          <Icon name="chevron" size={16} />
        </AriaButton>
      </Group>
      <FieldNotes {...texts} />
      <Choices choices={choices} />
    </AriaComboBox>
  );
}

export interface MenuEntry {
  id: string;
  label: string;
  icon?: IconName;
  isDanger?: boolean;
  isDisabled?: boolean;
  onAction: () => void;
}

/** A menu that opens from its child, a button. */
export function Menu({ label, entries, children }: { label: string; entries: readonly MenuEntry[]; children: ReactNode }): ReactElement {
  return (
    <MenuTrigger>
      {children}
      <Popover className="popover" offset={4}>
        <AriaMenu className="options" aria-label={label} items={entries}>
          {(entry) => (
            <AriaMenuItem
              className="option"
              id={entry.id}
              textValue={entry.label}
              isDisabled={entry.isDisabled}
              onAction={entry.onAction}
              data-danger={entry.isDanger || undefined}
            >
              {entry.icon !== undefined && <Icon name={entry.icon} size={18} />}
              <span className="option-texts">{entry.label}</span>
            </AriaMenuItem>
          )}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}
