import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";
import type { ServerOptions } from "./tests/server";

/** The first of these programs that is installed. The tests drive the system's browsers; nothing is downloaded. */
function installed(variable: string, ...paths: string[]): string | undefined {
  return process.env[variable] ?? paths.find((path) => existsSync(path));
}

const chromium = installed("CHROMIUM", "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome");
const firefox = installed("FIREFOX", "/usr/bin/firefox-esr", "/usr/bin/firefox");
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

const chromiumOptions = {
  browserName: "chromium" as const,
  launchOptions: {
    executablePath: chromium,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  },
};

export default defineConfig<object, ServerOptions>({
  testDir: "tests",
  testMatch: "*.spec.ts",
  // Each worker has a server of its own, and a model in memory.
  workers: 1,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  reporter: [["list"]],
  use: { screenshot: "only-on-failure" },
  projects: [
    { name: "chromium", use: { ...chromiumOptions, viewport: DESKTOP } },
    // A phone has neither a mouse nor a keyboard's arrows.
    { name: "phone", grepInvert: /@mouse|@keyboard/, use: { ...chromiumOptions, viewport: PHONE, hasTouch: true, isMobile: true } },
    {
      // Mozilla's own build over WebDriver BiDi, which can't emulate media features.
      name: "firefox",
      grepInvert: /@chromium/,
      use: {
        browserName: "firefox",
        channel: "moz-firefox",
        viewport: DESKTOP,
        launchOptions: { executablePath: firefox },
        colorScheme: null,
        contextOptions: { reducedMotion: null, forcedColors: null, contrast: null },
      },
    },
  ],
});
