import optimizeLocales from "@react-aria/optimize-locales-plugin";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { shell } from "./scripts/shell.ts";

/** The server that `npm run dev` passes API requests to. */
const server = process.env.FRAMEWRIGHT_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  // Relative addresses: the page works behind any path prefix.
  base: "./",
  plugins: [
    react(),
    shell(),
    // The page is in English; other languages' strings of the components would be a third of its size.
    { ...optimizeLocales.vite({ locales: ["en-US"] }), enforce: "pre" },
  ],
  build: {
    outDir: "dist",
    target: "es2023",
    // The policy forbids data URLs for scripts and styles; images may be inlined, but then they are not cached.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // All views' styles are nine kilobytes: one file, which the first paint waits for.
    cssCodeSplit: false,
  },
  server: {
    // The page finds the API next to itself: /ui/ -> /.
    proxy: Object.fromEntries(
      ["/api", "/files", "/models", "/sdapi", "/generate-video", "/generate", "/animate", "/openapi.json", "/v1"].map((path) => [
        path,
        { target: server, changeOrigin: true, headers: { origin: server } },
      ]),
    ),
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test-setup.ts"],
    restoreMocks: true,
    // Nothing fails for time alone on a busy machine.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    css: false,
  },
});
