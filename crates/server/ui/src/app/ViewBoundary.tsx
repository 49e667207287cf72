import { Component, type ReactNode } from "react";
import { messageOf } from "../api/problems";
import { Button, ErrorMessage } from "../components";

/** Keeps the navigation alive if a view fails, for instance because a new version of the server has other files. */
export class ViewBoundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override readonly state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <div className="page">
        <h1>This view could not be shown</h1>
        <ErrorMessage
          action={
            <Button size="s" onPress={() => location.reload()}>
              Reload the page
            </Button>
          }
        >
          {messageOf(this.state.error)}
        </ErrorMessage>
      </div>
    );
  }
}
