import type { IconName } from "../components/icons";
import type { ViewPath } from "./view-files";

export interface View {
  path: ViewPath;
  title: string;
  icon: IconName;
}

/** The views in the order of the navigation. */
export const VIEWS: readonly View[] = [
  { path: "/image", title: "Image", icon: "image" },
  { path: "/motion", title: "Motion", icon: "motion" },
  { path: "/gallery", title: "Gallery", icon: "gallery" },
  { path: "/queue", title: "Queue", icon: "queue" },
  { path: "/machine", title: "Machine", icon: "machine" },
];
