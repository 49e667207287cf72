import { type Ref, useEffect, useState } from "react";
import { Button } from "../../components";
import { duration } from "../../components/format";

export interface PlayerProps {
  src: string;
  poster: string | null;
  /** The accessible name; it begins with the prompt. */
  name: string;
  width: number;
  height: number;
  isLooped?: boolean;
  ref?: Ref<HTMLVideoElement>;
}

/** Plays a video with the browser's own controls. It starts by itself, unless the person wants less motion. */
export function Player({ src, poster, name, width, height, isLooped = false, ref }: PlayerProps) {
  const [hasFailed, setFailed] = useState(false);
  const isStill = window.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;
  if (hasFailed) {
    return (
      <div className="motion-blank">
        <p role="alert">The video can't be played. Its file may have been removed, or the connection was lost.</p>
        <Button size="s" icon="again" onPress={() => setFailed(false)}>
          Try again
        </Button>
      </div>
    );
  }
  return (
    <video
      ref={ref}
      className="motion-video"
      src={src}
      poster={poster ?? undefined}
      aria-label={name}
      width={width}
      height={height}
      style={{ aspectRatio: `${width} / ${height}` }}
      controls
      muted
      playsInline
      loop={isLooped}
      autoPlay={!isStill}
      preload="auto"
      onError={() => setFailed(true)}
    />
  );
}

/** Where a video is, in seconds: every frame while it plays. */
export function usePlayhead(video: HTMLVideoElement | null): number {
  const [time, setTime] = useState(0);
  useEffect(() => {
    if (video === null) return;
    let frame = 0;
    const read = () => setTime(video.currentTime);
    const follow = () => {
      read();
      frame = video.paused || video.ended ? 0 : requestAnimationFrame(follow);
    };
    const events = ["play", "seeking", "seeked", "timeupdate", "ended", "loadedmetadata"];
    const onEvent = () => {
      cancelAnimationFrame(frame);
      follow();
    };
    for (const event of events) video.addEventListener(event, onEvent);
    read();
    return () => {
      cancelAnimationFrame(frame);
      for (const event of events) video.removeEventListener(event, onEvent);
    };
  }, [video]);
  return time;
}

/** A forecast: "about 8 s". */
export function forecast(value: number): string {
  return value < 1 ? duration(value) : `about ${duration(value)}`;
}

const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** A video's length: "3.5 s", "12 s", "2 min". */
export function seconds(value: number): string {
  return value < 60 ? `${exact.format(value)} s` : duration(value);
}
