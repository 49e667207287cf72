// Prints what a browser downloads, compressed, and fails above the limit.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const LIMIT = 350_000;

const sizes = readdirSync("dist", { recursive: true, withFileTypes: true })
  // The compressed forms beside them are what is sent instead.
  .filter((entry) => entry.isFile() && !/\.(br|gz)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .map((path) => ({ path, bytes: gzipSync(readFileSync(path), { level: 9 }).length }))
  .sort((a, b) => b.bytes - a.bytes);
const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
for (const { path, bytes } of sizes) process.stdout.write(`${String(bytes).padStart(8)}  ${path}\n`);
process.stdout.write(`${String(total).padStart(8)}  all, compressed with gzip; at most ${LIMIT}\n`);
if (total > LIMIT) process.exit(1);
