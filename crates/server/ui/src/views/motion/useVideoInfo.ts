import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, unwrap } from "../../api/client";
import type { VideoInfo } from "../../api/types";
import { bodyForInfo, type ScenesBody } from "./scene-file";
import { useDebounced } from "./useDebounced";

export const INFO = "video-info";
const PAUSE = 300;

/** What the server says of the video before it makes it: its frames, its length, what is kept. Asked again when the person pauses. */
export function useVideoInfo(body: ScenesBody) {
  const text = JSON.stringify(bodyForInfo(body));
  const settled = useDebounced(text, PAUSE);
  const { data, error } = useQuery({
    queryKey: [INFO, settled],
    queryFn: ({ signal }) => unwrap(client.POST("/generate-video/info", { body: JSON.parse(settled), signal })),
    gcTime: 60_000,
  });
  // Between answers, and while something is wrong, the last timeline stays.
  const [last, setLast] = useState<VideoInfo | undefined>(undefined);
  if (data !== undefined && data !== last) setLast(data);
  return {
    info: data ?? last,
    /** Whether it is of the draft as it stands. */
    isCurrent: data !== undefined && settled === text,
    error,
    /** The request that the error is of. */
    asked: settled,
  };
}
