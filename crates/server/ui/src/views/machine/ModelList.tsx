import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { client, unwrap } from "../../api/client";
import { messageOf } from "../../api/problems";
import { keys } from "../../api/queries";
import type { Model } from "../../api/types";
import { Button, EmptyState, ErrorMessage, Icon, ProgressBar } from "../../components";
import { bytes } from "../../components/format";
import { rounded } from "./numbers";

/** How often a model that is being loaded is looked at; no event tells how far it is. */
const LOADING = 1000;

const STATES: Readonly<Record<string, string>> = {
  unloaded: "Not loaded",
  queued: "Waits to be loaded",
  loading: "Loading",
  ready: "Loaded",
  failed: "Failed",
};

function isChanging({ state }: Model): boolean {
  return state === "queued" || state === "loading";
}

/** The models, what they take, and buttons that load and unload them. */
export function ModelList({ models }: { models: readonly Model[] }) {
  const queries = useQueryClient();
  const changes = models.some(isChanging);
  useEffect(() => {
    if (!changes) return;
    const timer = setInterval(() => void queries.invalidateQueries({ queryKey: keys.models }), LOADING);
    return () => clearInterval(timer);
  }, [changes, queries]);
  if (models.length === 0) {
    return (
      <EmptyState icon="machine" title="No models">
        Start the server with a model: --model names a folder, a file or a hub id.
      </EmptyState>
    );
  }
  return (
    <ul className="machine-models">
      {models.map((model) => (
        <li key={model.name} className="card machine-model">
          <ModelCard model={model} />
        </li>
      ))}
    </ul>
  );
}

function ModelCard({ model }: { model: Model }) {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: (action: "load" | "unload") => {
      const params = { path: { name: model.name } };
      return unwrap(action === "load" ? client.POST("/models/{name}/load", { params }) : client.POST("/models/{name}/unload", { params }));
    },
    meta: { showsErrors: true },
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: keys.models });
      void queries.invalidateQueries({ queryKey: keys.machine });
    },
  });
  const isLoaded = model.state === "ready";
  const action = isLoaded ? "unload" : "load";
  return (
    <>
      <div className="machine-model-head">
        <h3 className="machine-model-name">{model.name}</h3>
        {model.default && <span className="machine-tag">Default</span>}
        <span className="machine-tag" data-state={model.state}>
          {isLoaded && <Icon name="check" size={14} />}
          {STATES[model.state] ?? model.state}
        </span>
        <span className="grow" />
        <Button
          size="s"
          isDisabled={isChanging(model)}
          isPending={change.isPending}
          aria-label={`${isLoaded ? "Unload" : "Load"} ${model.name}`}
          onPress={() => change.mutate(action)}
        >
          {isLoaded ? "Unload" : "Load"}
        </Button>
      </div>
      {isChanging(model) && (
        <ProgressBar
          label={`Loading ${model.name}`}
          value={model.progress ?? undefined}
          text={model.progress === null || model.progress === undefined ? undefined : `${model.progress} %`}
        />
      )}
      <ErrorMessage>{model.reason}</ErrorMessage>
      <ErrorMessage>{change.error === null ? null : messageOf(change.error)}</ErrorMessage>
      <p className="muted small numbers">{modelWords(model).join(" · ")}</p>
    </>
  );
}

const FAMILIES: Readonly<Record<string, string>> = {
  sd1: "Stable Diffusion 1",
  sd2: "Stable Diffusion 2",
  sdxl: "Stable Diffusion XL",
  "sdxl-refiner": "refiner of Stable Diffusion XL",
  svd: "Stable Video Diffusion",
};

/** What is known of a model, in a few words each. */
export function modelWords(model: Model): string[] {
  const words: string[] = [];
  const add = (word: string | null | undefined | false) => {
    if (word) words.push(word);
  };
  add(model.kind === "motion" ? "Animates pictures" : "Makes images");
  add(model.family !== null && (FAMILIES[model.family] ?? model.family));
  add(model.memory_bytes !== null && `${model.state === "ready" ? "takes" : "would take"} ${bytes(model.memory_bytes)}`);
  add(model.precision);
  add(model.width !== null && model.height !== null && `${model.width} × ${model.height}`);
  add(model.steps !== null && (model.steps === 1 ? "1 step" : `${model.steps} steps`));
  add(model.guidance_scale !== null && `guidance ${rounded(model.guidance_scale)}`);
  add(model.schedulers[0]);
  add(model.loras.length > 0 && `with ${model.loras.map((lora) => lora.split(":")[0]).join(", ")}`);
  for (const [part, file] of Object.entries(model.other_parts)) add(`${part.replaceAll("_", " ")} from ${file}`);
  return words;
}
