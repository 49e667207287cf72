import type { ReactNode } from "react";
import { apiBase } from "../../api/base";
import { messageOf } from "../../api/problems";
import { useMachine, useModels } from "../../api/queries";
import type { Machine } from "../../api/types";
import { ErrorMessage, Icon, ProgressBar } from "../../components";
import { ago, bytes, dateTime, duration } from "../../components/format";
import { MemoryBar } from "./MemoryBar";
import { ModelList } from "./ModelList";
import { rounded } from "./numbers";
import "./machine.css";

/** How often the numbers of the machine and the states of its models are read again; no event tells them, and others change them too. */
const REFRESH = 5000;

/** What the server runs on, for its operator: device, memory, models, queue, speed, storage and errors. */
export default function MachineView() {
  const machine = useMachine(REFRESH);
  const models = useModels(REFRESH);
  const { data } = machine;
  return (
    <div className="page">
      <header className="machine-head">
        <h1>Machine</h1>
        {data && (
          <span className="muted small numbers">
            Framewright {data.version} · runs for {duration(data.uptime_seconds)}
          </span>
        )}
        <nav className="machine-links" aria-label="For programs">
          <OutLink path="docs">API documentation</OutLink>
          <OutLink path="metrics">Metrics</OutLink>
          <OutLink path="openapi.json">OpenAPI</OutLink>
        </nav>
      </header>
      {machine.error !== null && <ErrorMessage>{messageOf(machine.error)}</ErrorMessage>}
      {machine.isPending && <ProgressBar label="Reading the machine's state" />}
      {data && (
        <div className="machine-cards">
          <Device machine={data} />
          <MemoryBar memory={data.memory} />
        </div>
      )}
      <Part title="Models">
        {models.error !== null && <ErrorMessage>{messageOf(models.error)}</ErrorMessage>}
        {models.data && <ModelList models={models.data.models} />}
      </Part>
      {data && (
        <>
          <div className="machine-cards">
            <Queue machine={data} />
            <Storage machine={data} />
          </div>
          <Part title="Speed">
            <Speed machine={data} />
          </Part>
          <Part title="Last errors">
            <Errors machine={data} />
          </Part>
        </>
      )}
    </div>
  );
}

function OutLink({ path, children }: { path: string; children: string }) {
  return (
    <a className="small" href={new URL(path, apiBase).href} target="_blank" rel="noreferrer">
      {children}
    </a>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="stack-tight" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="card stack-tight" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** Names and values, one a line. */
function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className="machine-facts numbers">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const DEVICES: Readonly<Record<string, string>> = { cpu: "CPU", cuda: "NVIDIA GPU (CUDA)", metal: "Apple GPU (Metal)" };

function Device({ machine }: { machine: Machine }) {
  // Nothing is known before the first model is opened.
  const device: string | null = machine.device;
  return (
    <Card title="Device">
      <p className="machine-device">{device === null ? "Chosen when the first model is opened" : (DEVICES[device] ?? device)}</p>
      {machine.device_reason !== null && <p className="muted small">{machine.device_reason}</p>}
      <Facts
        facts={[
          ["Threads of the CPU", machine.cpu_threads ?? "not known"],
          ["Precision", machine.precision ?? "not known yet"],
        ]}
      />
    </Card>
  );
}

function Queue({ machine: { queue } }: { machine: Machine }) {
  return (
    <Card title="Queue">
      <Facts
        facts={[
          ["Running", queue.running],
          ["Waiting", queue.waiting],
          ["Both at most", queue.capacity],
        ]}
      />
      <a href="#/queue" className="small">
        Open the queue
      </a>
    </Card>
  );
}

function Storage({ machine: { store } }: { machine: Machine }) {
  return (
    <Card title="Storage">
      <Facts
        facts={[
          ["Kept", `${bytes(store.kept_bytes)} in ${store.kept_files.toLocaleString("en")} ${store.kept_files === 1 ? "file" : "files"}`],
          ["Free in the folder", store.folder_free_bytes === null ? "not known" : bytes(store.folder_free_bytes)],
          ...Object.entries(store.jobs).map(([state, count]) => [`Tasks ${state}`, count.toLocaleString("en")] as const),
        ]}
      />
    </Card>
  );
}

function Speed({ machine: { speed } }: { machine: Machine }) {
  if (speed.length === 0) return <p className="muted">Nothing was measured yet. The first image shows how fast this machine is.</p>;
  return (
    <table className="machine-table numbers">
      <caption className="visually-hidden">Speed by model and size</caption>
      <thead>
        <tr>
          <th scope="col">Model</th>
          <th scope="col">Size</th>
          <th scope="col">Steps a second</th>
          <th scope="col" className="machine-wide">
            A step
          </th>
        </tr>
      </thead>
      <tbody>
        {speed.map((entry) => (
          <tr key={`${entry.model} ${entry.width} ${entry.height}`}>
            <th scope="row">{entry.model}</th>
            <td>
              {entry.width} × {entry.height}
            </td>
            <td>{entry.steps_per_second === null ? "unknown" : rounded(entry.steps_per_second)}</td>
            <td className="machine-wide">{rounded(entry.seconds_per_step)} s</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Errors({ machine: { errors } }: { machine: Machine }) {
  if (errors.length === 0) return <p className="muted">No task has failed.</p>;
  return (
    <ul className="machine-errors">
      {errors.map((error) => (
        <li key={error.task_id} className="machine-error">
          <Icon name="warning" size={18} />
          <div className="grow">
            <p dir="auto">{error.message}</p>
            <p className="muted small">
              <time dateTime={error.at} title={dateTime(error.at)}>
                {ago(error.at)}
              </time>{" "}
              · {error.code} · <a href={`#/gallery/${encodeURIComponent(error.task_id)}`}>{error.task_id}</a>
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}
