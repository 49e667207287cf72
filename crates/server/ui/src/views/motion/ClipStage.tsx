import { localUrl } from "../../api/base";
import { Button, type GivenImage, Icon } from "../../components";
import { Ending, Making } from "./Making";
import { Player, seconds } from "./Player";
import { ResultActions } from "./ResultActions";
import { rateOf } from "./ScenesStage";
import type { FollowedTask } from "./useFollowedTask";

export interface ClipStageProps {
  taskId: string | null;
  followed: FollowedTask | null;
  image: GivenImage | null;
  /** Null where there is no picture to do it with. */
  onAgain: (() => void) | null;
  onLonger: (() => void) | null;
  /** The length that "longer" makes, in seconds. */
  longer: number;
}

/** The video in the making or finished; before, the picture. */
export function ClipStage({ taskId, followed, image, onAgain, onLonger, longer }: ClipStageProps) {
  const result = followed?.task?.result;
  const file = result?.result.files[0];
  if (taskId !== null && followed !== null && result && file !== undefined && !file.expired) {
    const { width, height, frames, fps, seed, remarks } = result.result;
    const rate = rateOf(fps);
    const facts = [
      `${width} × ${height}`,
      frames === null || rate === null ? null : `${seconds(frames / rate)} · ${frames} frames`,
      seed === null ? null : `seed ${seed}`,
    ];
    return (
      <div className="stack-tight">
        <div className="motion-frame">
          <Player
            key={taskId}
            src={localUrl(file.url)}
            poster={followed.task?.thumbnail_url ? localUrl(followed.task.thumbnail_url) : null}
            name={followed.task?.prompt || "The picture in motion"}
            width={width}
            height={height}
            isLooped
          />
        </div>
        <ResultActions url={file.url} facts={facts} remarks={remarks}>
          {onAgain !== null && (
            <Button size="s" icon="again" onPress={onAgain}>
              Once more
            </Button>
          )}
          {onLonger !== null && (
            <Button size="s" icon="plus" onPress={onLonger}>
              Longer: {seconds(longer)}
            </Button>
          )}
        </ResultActions>
      </div>
    );
  }
  const isRunning = followed?.isRunning === true;
  const preview = isRunning ? followed.live?.preview : undefined;
  const picture = preview?.image ?? image?.dataUrl;
  return (
    <div className="stack-tight">
      <div className="motion-frame" data-busy={isRunning || undefined}>
        {picture !== undefined ? (
          <img
            className="motion-preview"
            src={picture}
            alt={preview === undefined ? `The picture: ${image?.name ?? ""}` : "Preview of the work in progress"}
          />
        ) : (
          <div className="motion-blank">
            <Icon name="motion" size={36} />
            <p className="muted">
              {isRunning ? "The first frames appear here soon." : "Give a picture, then press Generate. It moves here."}
            </p>
          </div>
        )}
      </div>
      {taskId !== null && followed !== null && isRunning && (
        <Making
          id={taskId}
          followed={followed}
          what={preview?.frame === undefined ? "Setting it in motion" : `Frame ${preview.frame + 1} is finished`}
        />
      )}
      {followed !== null && <Ending followed={followed} />}
      {file?.expired && <p className="muted">The file of the last video has been removed. Generate makes it again.</p>}
    </div>
  );
}
