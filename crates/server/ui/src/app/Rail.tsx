import type { ReactNode } from "react";
import { Icon } from "../components/icons";
import { VIEWS, type View } from "./views";

interface Props {
  /** The view that is open. */
  current?: View["path"];
  queueBadge?: ReactNode;
  /** What stands at the navigation's end. */
  children?: ReactNode;
}

/** The brand and the navigation. The build also writes them into index.html, so they need nothing that only a browser has. */
export function Rail({ current, queueBadge, children }: Props) {
  return (
    <header className="rail">
      <span className="brand">
        <img src="./icon.svg" alt="" width={28} height={28} />
        <span className="brand-name">Framewright</span>
      </span>
      <nav aria-label="Views" className="nav">
        {VIEWS.map(({ path, title, icon }) => (
          <a key={path} className="nav-link" href={`#${path}`} aria-current={current === path ? "page" : undefined}>
            <Icon name={icon} size={22} />
            <span>{title}</span>
            {path === "/queue" && queueBadge}
          </a>
        ))}
      </nav>
      <div className="rail-end">{children}</div>
    </header>
  );
}
