// Writes src/api/schema.ts (types) and src/api/facts.ts (limits and defaults of requests) from openapi.json.
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const description = JSON.parse(readFileSync("openapi.json", "utf8"));
// Operations of several APIs share names; the client only uses paths.
for (const operations of Object.values(description.paths)) for (const operation of Object.values(operations)) delete operation.operationId;
const note = "// Generated from openapi.json by `npm run client`.\n\n";

writeFileSync(
  "src/api/schema.ts",
  note + astToString(await openapiTS(description, { emptyObjectsUnknown: true, defaultNonNullable: false })),
);

/** The keys of a field's schema that the page uses. */
function factOf(schema) {
  const resolved = resolve(schema);
  const parts = [resolved, ...(resolved.oneOf ?? []), ...(resolved.anyOf ?? []), ...(resolved.allOf ?? [])].map(resolve);
  const first = (name) => parts.map((part) => part[name]).find((value) => value !== undefined && value !== null);
  const enumeration = first("enum");
  const values = enumeration?.filter((value) => typeof value === "string");
  const fallback = first("default");
  const fact = {
    minimum: first("minimum"),
    maximum: first("maximum"),
    default: typeof fallback === "object" ? undefined : fallback,
    values: values?.length > 0 ? values : undefined,
    maxItems: first("maxItems"),
    maxLength: first("maxLength"),
  };
  return Object.fromEntries(Object.entries(fact).filter(([, value]) => value !== undefined));
}

function resolve(schema) {
  const reference = schema.$ref;
  return reference === undefined ? schema : { ...description.components.schemas[reference.split("/").at(-1)], ...schema };
}

// Every schema of a request's body, and what it contains.
const wanted = new Set();
function want(schema) {
  if (typeof schema !== "object" || schema === null) return;
  if (Array.isArray(schema)) {
    schema.forEach(want);
    return;
  }
  const name = schema.$ref?.split("/").at(-1);
  if (name !== undefined && !wanted.has(name)) {
    wanted.add(name);
    want(description.components.schemas[name]);
  }
  Object.values(schema).forEach(want);
}
const PATHS = ["/api/v1/images/generate", "/api/v1/images/generate-i2i", "/api/v1/videos/generate", "/generate-video", "/animate"];
for (const path of PATHS) want(description.paths[path].post.requestBody);

const facts = {};
for (const name of [...wanted].sort()) {
  const fields = Object.entries(description.components.schemas[name].properties ?? {}).map(([field, schema]) => [field, factOf(schema)]);
  facts[name] = Object.fromEntries(fields.filter(([, fact]) => Object.keys(fact).length > 0));
}
writeFileSync(
  "src/api/facts.ts",
  `${note}import type { Fact } from "./limits";\n\nexport const FACTS: Readonly<Record<string, Readonly<Record<string, Fact>>>> = ${JSON.stringify(facts)};\n`,
);
