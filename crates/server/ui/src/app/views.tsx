import { type ComponentType, lazy } from "react";
import type { IconName } from "../components";

export interface View {
  path: string;
  title: string;
  icon: IconName;
  Content: ComponentType;
}

/** The views in the order of the navigation. Each is a file of its own, loaded when it is first opened. */
export const VIEWS: readonly View[] = [
  { path: "/image", title: "Image", icon: "image", Content: lazy(() => import("../views/image/ImageView")) },
  { path: "/motion", title: "Motion", icon: "motion", Content: lazy(() => import("../views/motion/MotionView")) },
  { path: "/gallery", title: "Gallery", icon: "gallery", Content: lazy(() => import("../views/gallery/GalleryView")) },
  { path: "/queue", title: "Queue", icon: "queue", Content: lazy(() => import("../views/queue/QueueView")) },
  { path: "/machine", title: "Machine", icon: "machine", Content: lazy(() => import("../views/machine/MachineView")) },
];
