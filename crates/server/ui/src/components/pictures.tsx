import { type ReactNode, useState } from "react";
import { Button as AriaButton, DropZone as AriaDropZone, FileTrigger, isFileDropItem, Text } from "react-aria-components";
import { messageOf } from "../api/problems";
import { Button, IconButton } from "./Button";
import { type GivenImage, readImage } from "./given-image";
import { Icon } from "./icons";
import "./pictures.css";

export interface PictureProps {
  /** Null while there is none; the tile keeps its shape. */
  src: string | null;
  /** The accessible name. For results it begins with the prompt. */
  name: string;
  width?: number | null;
  height?: number | null;
  /** What a press does; without it the tile is no button. */
  onPress?: () => void;
  isSelected?: boolean;
  /** Shown over the picture: a badge, or progress. */
  children?: ReactNode;
  /** "contain" shows the whole picture, "cover" fills the tile. */
  fit?: "contain" | "cover";
}

/** A picture as a tile of its own shape. */
export function Picture({ src, name, width, height, onPress, isSelected, children, fit = "cover" }: PictureProps) {
  const [failed, setFailed] = useState<string | null>(null);
  const ratio = width && height ? `${width} / ${height}` : "1";
  const picture = (
    <>
      {src !== null && failed !== src ? (
        <img
          className="picture-image"
          src={src}
          alt={name}
          dir="auto"
          width={width ?? undefined}
          height={height ?? undefined}
          loading="lazy"
          decoding="async"
          draggable={false}
          onError={() => setFailed(src)}
          style={{ objectFit: fit }}
        />
      ) : (
        <span className="picture-missing" role="img" aria-label={name}>
          <Icon name="image" size={28} />
        </span>
      )}
      {children}
    </>
  );
  if (onPress === undefined) {
    return (
      <div className="picture" style={{ aspectRatio: ratio }}>
        {picture}
      </div>
    );
  }
  return (
    <AriaButton className="picture picture-button" style={{ aspectRatio: ratio }} onPress={onPress} data-selected={isSelected || undefined}>
      {picture}
    </AriaButton>
  );
}

export interface DropZoneProps {
  /** What the picture is for: the accessible name, and the title. */
  label: string;
  /** How to give one; short. */
  help?: string;
  onImage: (image: GivenImage) => void;
  error?: string | null;
  /** Files that are not pictures, for other uses of a dropped file. */
  accept?: readonly string[];
  /** A slimmer one, for forms. */
  isCompact?: boolean;
}

/** Takes a picture by drag and drop, from the clipboard while it has the focus, and from a file or the camera. */
export function DropZone({ label, help, onImage, error, accept = ["image/*"], isCompact = false }: DropZoneProps) {
  const [fault, setFault] = useState<string | null>(null);
  const take = async (file: File | undefined) => {
    if (file === undefined) return;
    try {
      onImage(await readImage(file));
      setFault(null);
    } catch (caught) {
      setFault(messageOf(caught));
    }
  };
  const shown = fault ?? error;
  return (
    <div className="field">
      <AriaDropZone
        className="drop-zone"
        data-compact={isCompact || undefined}
        aria-label={label}
        getDropOperation={() => "copy"}
        onDrop={async (event) => {
          const item = event.items.find(isFileDropItem);
          if (item !== undefined) await take(await item.getFile());
        }}
      >
        <Icon name="upload" size={isCompact ? 20 : 28} />
        <Text slot="label" className="drop-label">
          {label}
        </Text>
        <span className="field-help">{help ?? "Drop a picture here, or paste one."}</span>
        <FileTrigger acceptedFileTypes={accept} onSelect={(files) => take(files?.[0])}>
          <Button size="s">Choose a file</Button>
        </FileTrigger>
      </AriaDropZone>
      {shown && (
        <span className="field-error" role="alert">
          {shown}
        </span>
      )}
    </div>
  );
}

/** A given picture with its name and a button that removes it. */
export function GivenPicture({
  image,
  label,
  onRemove,
  children,
}: {
  image: GivenImage;
  label: string;
  onRemove: () => void;
  children?: ReactNode;
}) {
  return (
    <div className="given">
      <img className="given-image" src={image.dataUrl} alt={`${label}: ${image.name}`} />
      <div className="given-texts">
        <span className="given-name" dir="auto">
          {image.name}
        </span>
        <span className="muted small numbers">
          {image.width} × {image.height}
        </span>
        {children}
      </div>
      <IconButton icon="close" label={`Remove ${label.toLowerCase()}`} size="s" onPress={onRemove} />
    </div>
  );
}
