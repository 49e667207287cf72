import { useEffect, useState } from "react";
import { messageOf } from "../../api/problems";
import { useModels } from "../../api/queries";
import { Button, Dialog, DialogActions, DropZone, type GivenImage, GivenPicture, imageIn, readImage, toast } from "../../components";
import { copy, useAgain as makeAgain } from "./actions";
import { readParameters, requestOf, type WrittenParameters } from "./parameters-text";
import { isPng, pngTexts } from "./png-text";
import { Words } from "./Words";
import { requestWords, type Word } from "./words";

interface Read {
  readonly image: GivenImage;
  readonly isPng: boolean;
  /** Null if the picture has none. */
  readonly text: string | null;
}

/** The keyword under which AUTOMATIC1111's web UI and this server write parameters. */
const KEYWORD = "parameters";

async function read(image: GivenImage): Promise<Read> {
  const base64 = image.dataUrl.slice(image.dataUrl.indexOf(",") + 1);
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const texts = await pngTexts(bytes);
  return { image, isPng: isPng(bytes), text: texts.get(KEYWORD) ?? null };
}

/** Reads the parameters that a picture carries, in this browser: nothing is sent to the server. */
export function DroppedPicture() {
  const [isOpen, setOpen] = useState(false);
  const [picture, setPicture] = useState<Read | null>(null);
  const show = async (image: GivenImage) => {
    setPicture(await read(image));
    setOpen(true);
  };
  const close = () => {
    setOpen(false);
    setPicture(null);
  };
  const isOver = useDroppedFile(!isOpen, (file) => {
    readImage(file).then(show, (error) => toast(messageOf(error), { tone: "error" }));
  });
  return (
    <>
      <Button size="s" icon="upload" onPress={() => setOpen(true)}>
        Read a picture
      </Button>
      {isOver && <div className="gallery-drop">Drop a picture to read its parameters</div>}
      <Dialog title="Parameters of a picture" isOpen={isOpen} onClose={close} size={picture === null ? "m" : "wide"}>
        {picture === null ? (
          <DropZone
            label="A picture with parameters"
            help="Drop a PNG that this server or AUTOMATIC1111's web UI made. It stays in this browser."
            accept={["image/png"]}
            onImage={(image) => void show(image)}
          />
        ) : (
          <Found picture={picture} onOther={() => setPicture(null)} onClose={close} />
        )}
      </Dialog>
    </>
  );
}

function Found({ picture, onOther, onClose }: { picture: Read; onOther: () => void; onClose: () => void }) {
  const { data: models } = useModels();
  const { text } = picture;
  if (text === null) {
    return (
      <>
        <GivenPicture image={picture.image} label="Picture" onRemove={onOther} />
        <p>
          {picture.isPng
            ? "This picture carries no parameters. Programs that edit or share pictures often remove them."
            : "Only PNG files carry parameters that can be read here, and this is none."}
        </p>
        <DialogActions>
          <Button onPress={onOther}>Read another one</Button>
        </DialogActions>
      </>
    );
  }
  const written = readParameters(text);
  const known = models?.models ?? [];
  const request = requestOf(written, {
    models: known.map(({ name }) => name),
    schedulers: known.flatMap(({ schedulers }) => schedulers ?? []),
  });
  return (
    <>
      <GivenPicture image={picture.image} label="Picture" onRemove={onOther} />
      <Words words={[...requestWords(request).filter(([name]) => name !== "Made as"), ...otherWords(written, request.body)]} />
      <DialogActions>
        <Button onPress={() => copy(text, "Parameters")}>Copy parameters</Button>
        <Button
          variant="primary"
          icon="again"
          onPress={() => {
            onClose();
            makeAgain(request);
          }}
        >
          Use these
        </Button>
      </DialogActions>
    </>
  );
}

/** Pairs that the request has already. */
const USED = new Set([
  "Steps",
  "Sampler",
  "Schedule type",
  "CFG scale",
  "Seed",
  "Size",
  "Resized to",
  "Eta",
  "Literal prompt",
  "Literal negative prompt",
]);

function otherWords({ pairs }: WrittenParameters, { model }: Record<string, unknown>): Word[] {
  return [...pairs]
    .filter(([key]) => !USED.has(key) && (key !== "Model" || model === undefined))
    .map(([key, value]) => (key === "Model" ? ["Model, which this server doesn't have", value] : [key, value]));
}

/** Takes a file that is dropped anywhere on the page; answers whether one is held over it. */
function useDroppedFile(isEnabled: boolean, onFile: (file: File) => void): boolean {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    if (!isEnabled) return;
    const hasFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent) => {
      if (!hasFile(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      setOver(false);
      if (!hasFile(event)) return;
      event.preventDefault();
      const file = imageIn(event.dataTransfer);
      if (file !== null) onFile(file);
      else toast("That is not a picture. Drop a PNG file.", { tone: "error" });
    };
    document.addEventListener("dragover", over);
    document.addEventListener("dragleave", leave);
    document.addEventListener("drop", drop);
    return () => {
      setOver(false);
      document.removeEventListener("dragover", over);
      document.removeEventListener("dragleave", leave);
      document.removeEventListener("drop", drop);
    };
  }, [isEnabled, onFile]);
  return isOver;
}
