import { useEffect, useRef } from "react";

/** A picture that a person gave: from a file, a drop, the clipboard or the camera. */
export interface GivenImage {
  readonly name: string;
  /** The file as a data URL, as requests take it. */
  readonly dataUrl: string;
  readonly width: number;
  readonly height: number;
}

/** The types that the server reads. */
export const IMAGE_TYPES: readonly string[] = ["image/png", "image/jpeg", "image/webp"];

/**
 * Reads a picture from a file.
 *
 * @throws {Error} with a sentence for a person, if it is none.
 */
export async function readImage(file: Blob, name = file instanceof File ? file.name : "picture"): Promise<GivenImage> {
  const dataUrl = await readDataUrl(file);
  try {
    const { width, height } = await measure(dataUrl);
    // The server reads these three; a browser can turn whatever else it shows into a PNG.
    if (IMAGE_TYPES.includes(file.type)) return { name, dataUrl, width, height };
    return { name, dataUrl: await redrawn(dataUrl), width, height };
  } catch {
    throw new Error(`"${name}" is not a picture that this browser can read. Choose a PNG, JPEG or WebP file.`);
  }
}

/** Reads a picture from an address of this server. */
export async function fetchImage(url: string, name: string): Promise<GivenImage> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`"${name}" can't be loaded any more. It may have been removed.`);
  return readImage(await response.blob(), name);
}

function readDataUrl(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("The file can't be read."));
    reader.readAsDataURL(file);
  });
}

/** Loads a picture from an address, to draw or measure it. */
export function loadImage(url: string): Promise<HTMLImageElement> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("not a picture"));
    image.src = url;
  });
}

async function measure(url: string): Promise<{ width: number; height: number }> {
  const { naturalWidth: width, naturalHeight: height } = await loadImage(url);
  if (width === 0 || height === 0) throw new Error("not a picture");
  return { width, height };
}

async function redrawn(url: string): Promise<string> {
  const image = await loadImage(url);
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.drawImage(image, 0, 0);
  return canvas.toDataURL("image/png");
}

/** The first picture among pasted or dropped things. */
export function imageIn(data: DataTransfer | null): File | null {
  return [...(data?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;
}

/** Calls `onImage` for a picture that is pasted anywhere on the page, unless something else takes it. */
export function usePastedImage(onImage: (file: File) => void) {
  const latest = useRef(onImage);
  useEffect(() => {
    latest.current = onImage;
  });
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const image = imageIn(event.clipboardData);
      if (image === null || event.defaultPrevented) return;
      event.preventDefault();
      latest.current(image);
    };
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  }, []);
}
