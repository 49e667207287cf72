/** The views' files by their addresses. Each is loaded when it is first needed. */
export const VIEW_FILES = {
  "/image": () => import("../views/image/ImageView"),
  "/motion": () => import("../views/motion/MotionView"),
  "/gallery": () => import("../views/gallery/GalleryView"),
  "/queue": () => import("../views/queue/QueueView"),
  "/machine": () => import("../views/machine/MachineView"),
} as const;

export type ViewPath = keyof typeof VIEW_FILES;

/** The view that an address shows first. */
export function firstView(hash: string): ViewPath {
  const paths = Object.keys(VIEW_FILES) as ViewPath[];
  return paths.find((path) => hash === `#${path}` || hash.startsWith(`#${path}/`)) ?? "/image";
}
