import { MutationCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, startTransition } from "react";
import { I18nProvider } from "react-aria-components";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { messageOf, Problem } from "./api/problems";
import { readAhead } from "./api/queries";
import { provideTaskStore, TaskStore } from "./api/task-store";
import { Shell } from "./app/Shell";
import { firstView } from "./app/view-files";
import { toast } from "./components";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Events say when something changes; the rest is read again when a view is opened.
      refetchOnWindowFocus: false,
      staleTime: 2000,
      // A refusal stays a refusal; a lost connection comes back.
      retry: (count, error) => (error instanceof Problem ? error.status === 0 || error.status === 503 : true) && count < 3,
    },
  },
  mutationCache: new MutationCache({
    onError: (error, _variables, _result, mutation) => {
      // Forms show their errors themselves.
      if (mutation.meta?.showsErrors !== true) toast(messageOf(error), { tone: "error" });
    },
  }),
});
const store = new TaskStore(queries);
provideTaskStore(store);
store.start();
readAhead(queries, firstView(location.hash));

const root = document.getElementById("root");
if (root !== null) {
  const page = (
    <StrictMode>
      <I18nProvider locale="en-US">
        <QueryClientProvider client={queries}>
          <Router hook={useHashLocation}>
            <Shell />
          </Router>
        </QueryClientProvider>
      </I18nProvider>
    </StrictMode>
  );
  // In pieces, between which the browser can answer.
  startTransition(() => createRoot(root).render(page));
}
