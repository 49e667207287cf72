import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { createServer, type Plugin, type Rolldown } from "vite";

const PLACE = "<!-- shell -->";

/**
 * Writes the navigation into index.html, so that it is there before any script has run, and names the files of the page's main part there, so
 * that the browser asks for them at once.
 */
export function shell(): Plugin {
  return {
    name: "framewright-shell",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      async handler(html, { bundle = {} }) {
        const tags = filesOf("/src/main.tsx", bundle).map((file) => ({
          tag: "link",
          attrs: { rel: "modulepreload", href: `./${file}`, fetchpriority: "low" },
          injectTo: "head" as const,
        }));
        if (!html.includes(PLACE) || tags.length === 0)
          throw new Error("index.html has no place for the navigation, or src/main.tsx is no file");
        return { html: html.replace(PLACE, await rail()), tags };
      },
    },
  };
}

/** The navigation as HTML, in the frame that the page will have. */
async function rail(): Promise<string> {
  const loader = await createServer({
    configFile: false,
    server: { middlewareMode: true, ws: false },
    appType: "custom",
    logLevel: "error",
  });
  try {
    const { Rail } = await loader.ssrLoadModule("/src/app/Rail.tsx");
    const frame = createElement("div", { className: "shell" }, createElement(Rail), createElement("main", { className: "main" }));
    const markup = renderToStaticMarkup(frame);
    // React puts a preload of the icon before it, which is next to it anyway.
    return markup.slice(markup.indexOf('<div class="shell"'));
  } finally {
    await loader.close();
  }
}

/** The file that a module became, and those that it imports; but not the entry's, which the page names itself. */
function filesOf(module: string, bundle: Rolldown.OutputBundle): string[] {
  const chunks = Object.values(bundle).filter((file): file is Rolldown.OutputChunk => file.type === "chunk" && !file.isEntry);
  const files = new Set<string>();
  const add = (chunk: Rolldown.OutputChunk | undefined) => {
    if (chunk === undefined || files.has(chunk.fileName)) return;
    files.add(chunk.fileName);
    for (const name of chunk.imports) add(chunks.find(({ fileName }) => fileName === name));
  };
  add(chunks.find(({ facadeModuleId }) => facadeModuleId?.endsWith(module)));
  return [...files];
}
