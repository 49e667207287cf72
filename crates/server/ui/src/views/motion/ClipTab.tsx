import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { KeyboardEvent } from "react";
import { bounds } from "../../api/limits";
import { messageOf } from "../../api/problems";
import { keys, submit, useModels } from "../../api/queries";
import { useErrorWhenGone } from "../../app/error-when-gone";
import { usePersistent } from "../../app/persistent";
import { Button, ErrorMessage, type GivenImage, readImage, toast, usePastedImage } from "../../components";
import { ClipForm, ClipPicture } from "./ClipForm";
import { ClipStage } from "./ClipStage";
import { bodyOfClip, type ClipSettings, frameSize, lengthOfRun } from "./clip-settings";
import { focusFault, remainingErrors, standingErrors } from "./field-errors";
import { randomSeed, text } from "./scene-draft";
import { useFollowedTask } from "./useFollowedTask";

export interface ClipTabProps {
  settings: ClipSettings;
  set: (change: Partial<ClipSettings>) => void;
  image: GivenImage | null;
  onImage: (image: GivenImage | null) => void;
}

/** Sets a given picture in motion. */
export function ClipTab({ settings, set, image, onImage }: ClipTabProps) {
  const models = useModels();
  const queries = useQueryClient();
  const [taskId, setTaskId] = usePersistent<string | null>("motion.clip-task", text);
  const followed = useFollowedTask(taskId);
  const sayIfGone = useErrorWhenGone();
  const generate = useMutation({
    meta: { showsErrors: true },
    onError: (error) => {
      sayIfGone(error);
      focusFault();
    },
    mutationFn: async ({ body }: { body: Record<string, unknown> }) => {
      const submitted = await submit("/api/v1/videos/generate", body);
      setTaskId(submitted.task_id);
      void queries.invalidateQueries({ queryKey: keys.lists });
    },
  });
  usePastedImage((file) => {
    readImage(file).then(onImage, (error) => toast(messageOf(error), { tone: "error" }));
  });

  const isRunning = followed?.isRunning === true;
  const bodyOf = (chosen: ClipSettings) => (image === null ? null : bodyOfClip(chosen, image, frameSize(chosen, image, models.data)));
  const make = (change: Partial<ClipSettings> = {}) => {
    if (generate.isPending || isRunning) return;
    // A seed that is not locked is drawn anew for each video.
    const chosen = { ...settings, ...(settings.isSeedLocked ? {} : { seed: randomSeed() }), ...change };
    const body = bodyOf(chosen);
    if (body === null) return;
    set(chosen);
    generate.mutate({ body });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    make();
  };

  const errors = standingErrors(generate.error, generate.variables?.body, bodyOf(settings));
  const form = { settings, set, image, onImage, models: models.data, errors };
  const longest = bounds("VideoTaskRequest", "duration").maxValue;
  const length = settings.duration ?? lengthOfRun(models.data) ?? 1;
  const longer = Math.min(Math.ceil(length * 2), longest);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a shortcut of the whole view; the button does the same.
    <div className="motion-columns" onKeyDown={onKeyDown}>
      <div className="motion-form motion-first">
        <ClipPicture {...form} />
        <Button
          variant="primary"
          icon="sparkle"
          onPress={() => make()}
          isPending={generate.isPending}
          isDisabled={image === null || isRunning}
        >
          Generate
        </Button>
        <ErrorMessage>{remainingErrors(errors, [generate.error, models.error], isShown)}</ErrorMessage>
      </div>
      <div className="motion-stage">
        <ClipStage
          taskId={taskId}
          followed={followed}
          image={image}
          onAgain={image === null || isRunning ? null : () => make({ seed: randomSeed() })}
          onLonger={image === null || isRunning || longer <= length ? null : () => make({ duration: longer, seed: settings.seed })}
          longer={longer}
        />
      </div>
      <div className="motion-form motion-rest">
        <ClipForm {...form} />
      </div>
    </div>
  );
}

const SHOWN = new Set(["image", "prompt", "model", "duration", "fps", "resolution", "motion_strength", "camera_motion", "seed"]);

function isShown(field: string): boolean {
  return SHOWN.has(field);
}
