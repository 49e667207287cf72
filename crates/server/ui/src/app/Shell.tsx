import { lazy, Suspense, useEffect, useRef } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { signOut, useSession } from "../api/session";
import { useConnection } from "../api/task-store";
import { IconButton, Menu, ProgressBar } from "../components";
import { ConfirmHost, ToastHost } from "../components/overlays";
import { QueueBadge } from "./QueueBadge";
import { Rail } from "./Rail";
import { SignIn } from "./SignIn";
import { setTheme, type Theme } from "./theme";
import { useTheme } from "./use-theme";
import { ViewBoundary } from "./ViewBoundary";
import { VIEW_FILES } from "./view-files";
import { VIEWS } from "./views";

const ROUTES = VIEWS.map(({ path }) => ({ path, Content: lazy(VIEW_FILES[path]) }));

/** The page around the views: the navigation, the connection's state, the theme and the sign-in. */
export function Shell() {
  const [path] = useLocation();
  const view = VIEWS.find((view) => path === view.path || path.startsWith(`${view.path}/`));
  const main = useRef<HTMLElement>(null);
  const title = view?.title;
  useEffect(() => {
    document.title = title === undefined ? "Framewright" : `${title} · Framewright`;
  }, [title]);
  return (
    <div className="shell">
      {/* A button, because the address's hash is the route. */}
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <Rail current={view?.path} queueBadge={<QueueBadge />}>
        <SignOutButton />
        <ThemeButton />
      </Rail>
      <main ref={main} id="main" className="main" tabIndex={-1}>
        <ConnectionNote />
        <ViewBoundary key={view?.path}>
          <Suspense fallback={<Loading />}>
            <Switch>
              {ROUTES.map(({ path, Content }) => (
                <Route key={path} path={`${path}/*?`} component={Content} />
              ))}
              <Route>
                <Redirect to="/image" replace />
              </Route>
            </Switch>
          </Suspense>
        </ViewBoundary>
      </main>
      <SignIn />
      <ConfirmHost />
      <ToastHost />
    </div>
  );
}

function Loading() {
  return (
    <div className="page">
      <ProgressBar label="Loading" />
    </div>
  );
}

function ConnectionNote() {
  const connection = useConnection();
  return (
    <div role="status" className="connection">
      {connection === "lost" && <span>Connection lost, trying again. What is queued stays queued.</span>}
    </div>
  );
}

const THEMES: readonly { id: Theme; label: string; icon: "system" | "sun" | "moon" }[] = [
  { id: "system", label: "Like the system", icon: "system" },
  { id: "light", label: "Light", icon: "sun" },
  { id: "dark", label: "Dark", icon: "moon" },
];

function ThemeButton() {
  const theme = useTheme();
  const current = THEMES.find(({ id }) => id === theme);
  return (
    <Menu label="Theme" entries={THEMES.map((entry) => ({ ...entry, onAction: () => setTheme(entry.id) }))}>
      <IconButton icon={current?.icon ?? "system"} label={`Theme: ${current?.label ?? ""}`} />
    </Menu>
  );
}

function SignOutButton() {
  const { key } = useSession();
  return key === null ? null : <IconButton icon="key" label="Sign out" onPress={signOut} />;
}
