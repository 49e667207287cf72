import { localUrl } from "../../api/base";
import { Icon } from "../../components";
import { Ending, Making } from "./Making";
import { Player, seconds } from "./Player";
import { counted, type FinishedParts, isCut, type MadeVideo, partKey } from "./parts";
import { ResultActions } from "./ResultActions";
import type { FollowedTask } from "./useFollowedTask";

export interface ScenesStageProps {
  made: MadeVideo | null;
  followed: FollowedTask | null;
  finished: FinishedParts;
  /** The picture of the selected scene. */
  still: string | undefined;
  width: number;
  height: number;
  /** Takes the video's element, for its position. */
  onVideo: (video: HTMLVideoElement | null) => void;
  /** Whether the draft is no longer the video's. */
  isEdited: boolean;
}

/** The video that was asked for last: in the making, or to play. */
export function ScenesStage({ made, followed, finished, still, width, height, onVideo, isEdited }: ScenesStageProps) {
  const result = followed?.task?.result;
  const file = result?.result.files[0];
  const url = file === undefined || file.expired ? null : file.url;
  if (made !== null && followed !== null && result && url !== null) {
    const { result: video } = result;
    const { parts } = video;
    const prompt = followed.task?.prompt ?? "Video";
    return (
      <div className="stack-tight">
        <div className="motion-frame">
          <Player
            key={made.taskId}
            ref={onVideo}
            src={localUrl(url)}
            poster={followed.task?.thumbnail_url ? localUrl(followed.task.thumbnail_url) : null}
            name={prompt}
            width={video.width}
            height={video.height}
          />
        </div>
        <ResultActions url={url} facts={[sizeOf(video), lengthOf(video), parts ? partsText(parts) : null]} remarks={video.remarks} />
        {isEdited && <p className="field-help">Changed since this video was made. Generate makes it anew.</p>}
      </div>
    );
  }
  const isRunning = followed?.isRunning === true;
  const preview = isRunning ? followed.live?.preview?.image : undefined;
  const picture = preview ?? still;
  return (
    <div className="stack-tight">
      <div className="motion-frame" style={{ aspectRatio: `${width} / ${height}` }} data-busy={isRunning || undefined}>
        {picture !== undefined ? (
          <img className="motion-preview" src={picture} alt={isRunning ? "Preview of the work in progress" : "The selected scene"} />
        ) : (
          <div className="motion-blank">
            <Icon name="motion" size={36} />
            <p className="muted">
              {isRunning ? "The first picture appears here soon." : "Describe the scenes, then press Generate. The video plays here."}
            </p>
          </div>
        )}
      </div>
      {made !== null && followed !== null && isRunning && (
        <Making id={made.taskId} followed={followed} what={workOf(made, finished, followed)} />
      )}
      {followed !== null && <Ending followed={followed} />}
      {result && url === null && <p className="muted">The file of the last video has been removed. Generate makes it again.</p>}
    </div>
  );
}

/** What is being made: "Scene 2 of 3", "Transition 1 of 2". */
function workOf(made: MadeVideo, finished: FinishedParts, followed: FollowedTask): string | null {
  if (followed.status === "pending") return null;
  const next = made.timeline?.find((entry) => !isCut(entry) && !finished.has(partKey(entry)));
  const scenes = made.sceneIds.length;
  if (next === undefined) return made.timeline === null ? "At work" : "Writing the video";
  return next.kind === "scene" ? `Scene ${next.scene + 1} of ${scenes}` : `Transition ${next.scene + 1} of ${scenes - 1}`;
}

function sizeOf({ width, height }: { width: number; height: number }): string {
  return `${width} × ${height}`;
}

function lengthOf({ frames, fps }: { frames: number | null; fps: string | null }): string | null {
  const rate = rateOf(fps);
  return frames === null || rate === null ? null : seconds(frames / rate);
}

/** A frame rate as a number: "24", "30000/1001". */
export function rateOf(fps: string | number | null | undefined): number | null {
  if (fps === null || fps === undefined) return null;
  const [numerator, denominator = "1"] = String(fps).split("/");
  const rate = Number(numerator) / Number(denominator);
  return Number.isFinite(rate) && rate > 0 ? rate : null;
}

function partsText({ made, reused }: { made: number; reused: number }): string {
  return `${counted(made, "part")} made, ${reused} kept`;
}
