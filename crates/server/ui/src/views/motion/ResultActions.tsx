import type { ReactNode } from "react";
import { localUrl } from "../../api/base";
import { Icon } from "../../components";

export interface ResultActionsProps {
  /** The file's address. */
  url: string;
  facts: readonly (string | null)[];
  remarks: readonly string[];
  /** Further buttons. */
  children?: ReactNode;
}

/** Under a finished video: its facts, its download, the server's remarks. */
export function ResultActions({ url, facts, remarks, children }: ResultActionsProps) {
  return (
    <>
      <div className="row">
        <span className="grow muted small numbers">{facts.filter((fact) => fact !== null).join(" · ")}</span>
        {children}
        <a className="button" data-size="s" href={localUrl(url)} download>
          <Icon name="download" size={18} />
          <span>Download</span>
        </a>
      </div>
      {remarks.map((remark) => (
        <p key={remark} className="field-help">
          {remark}
        </p>
      ))}
    </>
  );
}
