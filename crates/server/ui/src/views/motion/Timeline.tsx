import { Button as AriaButton, Slider, SliderThumb, SliderTrack } from "react-aria-components";
import type { TimelineEntry } from "../../api/types";
import { Icon, type IconName } from "../../components";
import { joinName } from "./names";
import { seconds } from "./Player";
import { counted, type PartState } from "./parts";
import type { SceneDraft } from "./scene-draft";
import "./timeline.css";

export interface TimelineProps {
  timeline: readonly TimelineEntry[];
  states: readonly PartState[];
  scenes: readonly SceneDraft[];
  stills: Readonly<Record<string, string>>;
  selected: string;
  onSelect: (id: string) => void;
  /** The video's position in seconds; null while no video of this timeline is shown. */
  time: number | null;
  onSeek: (seconds: number) => void;
  total: number;
  fps: number;
}

const STATES: Record<PartState, { icon: IconName | null; text: string }> = {
  kept: { icon: "check", text: "kept" },
  new: { icon: "sparkle", text: "to make" },
  waiting: { icon: null, text: "waiting" },
  running: { icon: null, text: "being made" },
  made: { icon: "check", text: "made" },
  reused: { icon: "check", text: "kept" },
  cut: { icon: null, text: "" },
};

/** The video as the server will make it: each scene and each transition with its frames, to scale. */
export function Timeline(props: TimelineProps) {
  const { timeline, states, scenes, onSeek, total, fps } = props;
  // The slider steps by frames, and its line with it.
  const time = props.time === null ? null : Math.round(props.time * fps) / fps;
  const position = time === null || total === 0 ? null : Math.min(time / total, 1);
  return (
    <section className="timeline" aria-label="Timeline">
      <div className="timeline-scroll">
        <div className="timeline-inner" style={{ minInlineSize: `${scenes.length * 4.5}rem` }}>
          <Slider
            className="timeline-ruler"
            aria-label="Position in the video"
            value={time ?? 0}
            minValue={0}
            maxValue={Math.max(total, 0.001)}
            step={1 / fps}
            isDisabled={time === null}
            formatOptions={{ style: "unit", unit: "second", maximumFractionDigits: 2 }}
            onChange={onSeek}
          >
            <SliderTrack className="timeline-track">
              <Ticks total={total} />
              <SliderThumb className="timeline-thumb" data-hidden={time === null || undefined} />
            </SliderTrack>
          </Slider>
          <ol className="timeline-parts">
            {timeline.map((entry, index) => (
              <Part key={`${entry.kind} ${entry.scene}`} entry={entry} state={states[index] ?? "new"} {...props} />
            ))}
          </ol>
          {position !== null && <div className="timeline-playhead" style={{ insetInlineStart: `${position * 100}%` }} />}
        </div>
      </div>
    </section>
  );
}

function Part({ entry, state, ...props }: TimelineProps & { entry: TimelineEntry; state: PartState }) {
  return entry.kind === "scene" ? <Scene entry={entry} state={state} {...props} /> : <Join entry={entry} state={state} />;
}

function Scene({
  entry,
  state,
  scenes,
  stills,
  selected,
  onSelect,
  time,
  onSeek,
}: TimelineProps & { entry: TimelineEntry; state: PartState }) {
  const scene = scenes[entry.scene];
  if (scene === undefined) return null;
  const still = stills[scene.id];
  const { icon, text } = STATES[state];
  const press = (event: { x: number; pointerType: string; target: Element }) => {
    onSelect(scene.id);
    if (time === null) return;
    const width = event.target.getBoundingClientRect().width;
    const share = event.pointerType === "keyboard" || event.pointerType === "virtual" || width === 0 ? 0 : event.x / width;
    onSeek(entry.start_seconds + Math.min(Math.max(share, 0), 1) * entry.seconds);
  };
  const start = entry.start_frame === 0 ? "" : `, from ${seconds(entry.start_seconds)}`;
  return (
    <li className="timeline-part" style={{ flexGrow: entry.frames }}>
      <AriaButton
        className="timeline-scene"
        data-state={state}
        data-selected={scene.id === selected || undefined}
        aria-label={`Scene ${entry.scene + 1}, ${counted(entry.frames, "frame")}, ${seconds(entry.seconds)}${start}, ${text}`}
        onPress={press}
      >
        {still !== undefined && <img className="timeline-still" src={still} alt="" draggable={false} />}
        <span className="timeline-texts">
          <span className="timeline-number numbers">{entry.scene + 1}</span>
          <span className="timeline-detail numbers">{seconds(entry.seconds)}</span>
          <span className="timeline-detail numbers">{counted(entry.frames, "frame")}</span>
        </span>
        <span className="timeline-state">
          {icon !== null && <Icon name={icon} size={14} />}
          <span>{text}</span>
        </span>
      </AriaButton>
    </li>
  );
}

function Join({ entry, state }: { entry: TimelineEntry; state: PartState }) {
  const join = joinName(entry.join ?? "");
  const { text } = STATES[state];
  const description = entry.frames === 0 ? "Cut" : `${join}, ${counted(entry.frames, "frame")}, ${seconds(entry.seconds)}, ${text}`;
  return (
    <li className="timeline-part timeline-join" data-state={state} style={{ flexGrow: entry.frames }} title={description}>
      {entry.frames > 0 && <span className="timeline-detail numbers">{entry.frames}</span>}
      <span className="visually-hidden">{description}</span>
    </li>
  );
}

const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
const MOST_TICKS = 8;

/** A mark every so many whole seconds. */
function Ticks({ total }: { total: number }) {
  const step = STEPS.find((candidate) => total / candidate <= MOST_TICKS) ?? total / MOST_TICKS;
  if (total <= 0) return null;
  const ticks = Array.from({ length: Math.floor(total / step) + 1 }, (_, index) => index * step);
  return (
    <span className="timeline-ticks" aria-hidden="true">
      {ticks
        .filter((tick) => tick / total < 0.93)
        .map((tick) => (
          <span key={tick} className="timeline-tick numbers" style={{ insetInlineStart: `${(tick / total) * 100}%` }}>
            {seconds(tick)}
          </span>
        ))}
    </span>
  );
}
