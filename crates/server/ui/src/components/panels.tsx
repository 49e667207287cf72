import { type ReactNode, useState } from "react";
import {
  Button as AriaButton,
  Disclosure as AriaDisclosure,
  ProgressBar as AriaProgressBar,
  Tabs as AriaTabs,
  DisclosurePanel,
  Heading,
  Tab,
  TabList,
  TabPanel,
} from "react-aria-components";
import { Icon, type IconName } from "./icons";
import "./panels.css";

export interface DisclosureProps {
  title: string;
  /** What is set inside, shown while it is closed. */
  summary?: ReactNode;
  isExpanded?: boolean;
  defaultExpanded?: boolean;
  onExpandedChange?: (isExpanded: boolean) => void;
  children: ReactNode;
}

/** A part of a form that stays out of the way until it is opened. */
export function Disclosure({ title, summary, children, ...props }: DisclosureProps) {
  return (
    <AriaDisclosure {...props} className="disclosure">
      {({ isExpanded }) => (
        <>
          <Heading level={3}>
            <AriaButton slot="trigger" className="disclosure-trigger">
              <Icon name="chevron" size={16} />
              <span>{title}</span>
              {!isExpanded && summary !== undefined && <span className="disclosure-summary">{summary}</span>}
            </AriaButton>
          </Heading>
          <DisclosurePanel>
            <OnceOpened isOpen={isExpanded}>{children}</OnceOpened>
          </DisclosurePanel>
        </>
      )}
    </AriaDisclosure>
  );
}

/** The part's contents from its first opening on: most parts stay closed, and a form of all of them takes long to make on a phone. */
function OnceOpened({ isOpen, children }: { isOpen: boolean; children: ReactNode }) {
  const [wasOpened, setOpened] = useState(isOpen);
  if (isOpen && !wasOpened) setOpened(true);
  return <div className="disclosure-body">{(isOpen || wasOpened) && children}</div>;
}

export interface TabsProps {
  label: string;
  tabs: readonly { id: string; title: string; content: ReactNode }[];
  selected?: string;
  onSelect?: (id: string) => void;
}

export function Tabs({ label, tabs, selected, onSelect }: TabsProps) {
  return (
    <AriaTabs className="tabs" selectedKey={selected} onSelectionChange={(key) => onSelect?.(String(key))}>
      <TabList className="tab-list" aria-label={label} items={tabs}>
        {(tab) => <Tab className="tab">{tab.title}</Tab>}
      </TabList>
      {tabs.map((tab) => (
        <TabPanel key={tab.id} id={tab.id} className="tab-panel">
          {tab.content}
        </TabPanel>
      ))}
    </AriaTabs>
  );
}

/** Progress in percent; without a value it only says that something goes on. */
export function ProgressBar({ label, value, text }: { label: string; value?: number; text?: string }) {
  return (
    <AriaProgressBar className="progress" aria-label={label} value={value} valueLabel={text} isIndeterminate={value === undefined}>
      {({ percentage }) => (
        <span className="progress-track" aria-hidden="true">
          <span
            className="progress-fill"
            style={{ inlineSize: `${percentage ?? 30}%` }}
            data-indeterminate={value === undefined || undefined}
          />
        </span>
      )}
    </AriaProgressBar>
  );
}

/** An error, in the server's words. It is read out at once. */
export function ErrorMessage({ children, action }: { children: ReactNode; action?: ReactNode }) {
  if (children === null || children === undefined || children === "") return null;
  return (
    <div className="error-message" role="alert">
      <Icon name="warning" size={18} />
      <span className="error-text">{children}</span>
      {action}
    </div>
  );
}

/** What a view shows while it has nothing: what it is for, and what to do. */
export function EmptyState({ icon, title, children, action }: { icon: IconName; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} size={36} />
      <h2>{title}</h2>
      {children !== undefined && <p className="muted">{children}</p>}
      {action}
    </div>
  );
}
