import { type ReactNode, useSyncExternalStore } from "react";
import {
  Dialog as AriaDialog,
  UNSTABLE_Toast as AriaToast,
  Heading,
  Modal,
  ModalOverlay,
  Text,
  UNSTABLE_ToastContent as ToastContent,
  UNSTABLE_ToastQueue as ToastQueue,
  UNSTABLE_ToastRegion as ToastRegion,
} from "react-aria-components";
import { Button, IconButton } from "./Button";
import "./overlays.css";

export interface DialogProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
  /** "wide" and "full" are for pictures. */
  size?: "m" | "wide" | "full";
  /** Whether Escape, and a press beside it, leave it open. */
  isKeyboardDismissDisabled?: boolean;
  role?: "dialog" | "alertdialog";
}

/** A dialog over the page. The focus stays inside, and returns when it closes. */
export function Dialog({ title, isOpen, onClose, children, size = "m", isKeyboardDismissDisabled = false, role = "dialog" }: DialogProps) {
  return (
    <ModalOverlay
      className="overlay"
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      isDismissable={!isKeyboardDismissDisabled && role === "dialog"}
      isKeyboardDismissDisabled={isKeyboardDismissDisabled}
    >
      <Modal className="modal" data-size={size}>
        <AriaDialog className="dialog" role={role}>
          <header className="dialog-head">
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            {!isKeyboardDismissDisabled && role === "dialog" && <IconButton icon="close" label="Close" onPress={onClose} />}
          </header>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

/** The row of buttons at a dialog's end. */
export function DialogActions({ children }: { children: ReactNode }) {
  return <div className="dialog-actions">{children}</div>;
}

interface Question {
  title: string;
  text: ReactNode;
  /** What the confirming button says: a verb. */
  action: string;
  isDanger?: boolean;
}

let question: (Question & { answer: (confirmed: boolean) => void; isOpen: boolean }) | null = null;
const askers = new Set<() => void>();

function setQuestion(next: typeof question) {
  question = next;
  for (const listener of askers) listener();
}

/** Asks before something that can't be undone. True if the person confirms. */
export function confirm(asked: Question): Promise<boolean> {
  question?.answer(false);
  return new Promise((resolve) => {
    const answer = (confirmed: boolean) => {
      if (question !== null) setQuestion({ ...question, isOpen: false });
      resolve(confirmed);
    };
    setQuestion({ ...asked, answer, isOpen: true });
  });
}

/** Shows the questions of `confirm`; the shell has it once. */
export function ConfirmHost() {
  const asked = useSyncExternalStore(
    (listener) => {
      askers.add(listener);
      return () => askers.delete(listener);
    },
    () => question,
  );
  if (asked === null) return null;
  return (
    <Dialog title={asked.title} isOpen={asked.isOpen} onClose={() => asked.answer(false)} role="alertdialog">
      <div>{asked.text}</div>
      <DialogActions>
        <Button onPress={() => asked.answer(false)}>Keep</Button>
        <Button variant={asked.isDanger ? "danger" : "primary"} onPress={() => asked.answer(true)} autoFocus>
          {asked.action}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

interface ToastMessage {
  text: string;
  tone: "plain" | "error";
  action?: { label: string; onPress: () => void };
}

const toasts = new ToastQueue<ToastMessage>({ maxVisibleToasts: 3 });

/** Says something in passing. Errors stay until they are closed. */
export function toast(text: string, { tone = "plain", action }: Partial<Omit<ToastMessage, "text">> = {}) {
  toasts.add({ text, tone, action }, tone === "error" ? {} : { timeout: 6000 });
}

/** Shows the messages of `toast`; the shell has it once. */
export function ToastHost() {
  return (
    <ToastRegion queue={toasts} className="toasts" aria-label="Messages">
      {({ toast }) => (
        <AriaToast toast={toast} className="toast" data-tone={toast.content.tone}>
          <ToastContent className="toast-content">
            <Text slot="title">{toast.content.text}</Text>
          </ToastContent>
          {toast.content.action !== undefined && (
            <Button
              size="s"
              variant="quiet"
              onPress={() => {
                toast.content.action?.onPress();
                toasts.close(toast.key);
              }}
            >
              {toast.content.action.label}
            </Button>
          )}
          <IconButton slot="close" icon="close" size="s" label="Close message" />
        </AriaToast>
      )}
    </ToastRegion>
  );
}
