import { type CSSProperties, type PointerEvent as ReactPointerEvent, useEffect, useRef, useState } from "react";
import { Button, Dialog, DialogActions, type GivenImage, IconButton, NumberField, SliderField } from "../../components";
import { drawMask, drawStep, exportMask, type MaskStep, maskSize, type Point, paintedShare } from "./mask";
import type { PaintedMask } from "./request";
import "./mask.css";

interface Props {
  image: GivenImage;
  isOpen: boolean;
  steps: readonly MaskStep[];
  onClose: () => void;
  onDone: (mask: PaintedMask | null) => void;
}

/** Paints what is to be repainted of a picture: with a pointer, or as rectangles by numbers. */
export function MaskEditor({ isOpen, onClose, ...props }: Props) {
  return (
    <Dialog title="Paint what to make anew" isOpen={isOpen} onClose={onClose} size="full">
      <MaskPainter {...props} onClose={onClose} />
    </Dialog>
  );
}

function MaskPainter({ image, steps: earlier, onClose, onDone }: Omit<Props, "isOpen">) {
  const size = maskSize(image.width, image.height);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [steps, setSteps] = useState<readonly MaskStep[]>(earlier);
  const [undone, setUndone] = useState<readonly MaskStep[]>([]);
  const [brush, setBrush] = useState(() => Math.max(8, Math.round(Math.min(image.width, image.height) / 8)));
  const [erases, setErases] = useState(false);
  const [share, setShare] = useState(0);

  useEffect(() => {
    const context = canvas.current?.getContext("2d", { willReadFrequently: true });
    if (!context) return;
    drawMask(context, steps);
    setShare(paintedShare(context));
  }, [steps]);

  const add = (step: MaskStep) => {
    setSteps([...steps, step]);
    setUndone([]);
  };
  const undo = () => {
    const last = steps.at(-1);
    if (last === undefined) return;
    setSteps(steps.slice(0, -1));
    setUndone([...undone, last]);
  };
  const redo = () => {
    const next = undone.at(-1);
    if (next === undefined) return;
    setUndone(undone.slice(0, -1));
    setSteps([...steps, next]);
  };
  const done = () => onDone(canvas.current === null || share === 0 ? null : { dataUrl: exportMask(canvas.current), steps });
  const percent = Math.round(share * 100);

  return (
    <div className="mask">
      <div className="mask-stage">
        <div className="mask-picture" style={{ "--ratio": image.width / image.height } as CSSProperties}>
          <img src={image.dataUrl} alt={image.name} draggable={false} />
          <Strokes
            canvas={canvas}
            size={size}
            radius={(brush * size.scale) / 2}
            erases={erases}
            onStroke={(points) => add({ kind: "stroke", points, radius: (brush * size.scale) / 2, erases })}
            label={`Mask: ${share > 0 && percent === 0 ? "under 1" : percent} % of the picture is painted`}
          />
        </div>
      </div>
      <div className="mask-tools">
        <fieldset className="mask-buttons" aria-label="Tool">
          <Button size="s" icon="brush" variant={erases ? "plain" : "primary"} aria-pressed={!erases} onPress={() => setErases(false)}>
            Paint
          </Button>
          <Button size="s" icon="erase" variant={erases ? "primary" : "plain"} aria-pressed={erases} onPress={() => setErases(true)}>
            Erase
          </Button>
          <IconButton icon="undo" label="Undo" onPress={undo} isDisabled={steps.length === 0} />
          <IconButton icon="redo" label="Redo" onPress={redo} isDisabled={undone.length === 0} />
          <IconButton icon="invert" label="Invert" onPress={() => add({ kind: "invert" })} />
          <IconButton icon="trash" label="Clear" onPress={() => add({ kind: "clear" })} isDisabled={steps.length === 0} />
        </fieldset>
        <SliderField
          label="Brush, pixels"
          value={brush}
          onChange={setBrush}
          minValue={1}
          maxValue={Math.max(2, Math.min(image.width, image.height))}
        />
        <RectangleForm image={image} erases={erases} scale={size.scale} onAdd={add} />
        <p className="muted small">Painted parts are made anew. The rest stays as it is.</p>
        <DialogActions>
          <Button onPress={onClose}>Cancel</Button>
          <Button variant="primary" onPress={done}>
            Use mask
          </Button>
        </DialogActions>
      </div>
    </div>
  );
}

interface StrokesProps {
  canvas: React.RefObject<HTMLCanvasElement | null>;
  size: { width: number; height: number };
  radius: number;
  erases: boolean;
  onStroke: (points: readonly Point[]) => void;
  label: string;
}

/** The mask over its picture, and the pointer that paints on it. */
function Strokes({ canvas, size, radius, erases, onStroke, label }: StrokesProps) {
  const points = useRef<Point[] | null>(null);
  const cursor = useRef<HTMLDivElement>(null);

  const pointOf = (event: { clientX: number; clientY: number }, element: HTMLCanvasElement): Point => {
    const box = element.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * size.width,
      y: ((event.clientY - box.top) / box.height) * size.height,
    };
  };
  const showCursor = (event: ReactPointerEvent<HTMLCanvasElement>) => {
    if (cursor.current === null) return;
    const box = event.currentTarget.getBoundingClientRect();
    const diameter = (2 * radius * box.width) / size.width;
    const { style } = cursor.current;
    style.width = `${diameter}px`;
    style.height = `${diameter}px`;
    style.translate = `${event.clientX - box.left - diameter / 2}px ${event.clientY - box.top - diameter / 2}px`;
  };
  const draw = (from: Point | undefined, to: Point) => {
    const context = canvas.current?.getContext("2d", { willReadFrequently: true });
    if (context) drawStep(context, { kind: "stroke", points: from === undefined ? [to] : [from, to], radius, erases });
  };
  const down = (event: ReactPointerEvent<HTMLCanvasElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const point = pointOf(event, event.currentTarget);
    points.current = [point];
    draw(undefined, point);
    showCursor(event);
  };
  const move = (event: ReactPointerEvent<HTMLCanvasElement>) => {
    showCursor(event);
    const stroke = points.current;
    if (stroke === null) return;
    const { currentTarget, nativeEvent } = event;
    const between = nativeEvent.getCoalescedEvents?.() ?? [];
    for (const part of between.length > 0 ? between : [nativeEvent]) {
      const point = pointOf(part, currentTarget);
      draw(stroke.at(-1), point);
      stroke.push(point);
    }
  };
  const up = () => {
    if (points.current !== null) onStroke(points.current);
    points.current = null;
  };

  return (
    <div className="mask-strokes">
      <canvas
        ref={canvas}
        className="mask-canvas"
        width={size.width}
        height={size.height}
        role="img"
        aria-label={label}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={up}
      />
      <div ref={cursor} className="mask-cursor" aria-hidden="true" />
    </div>
  );
}

interface RectangleProps {
  image: GivenImage;
  erases: boolean;
  scale: number;
  onAdd: (step: MaskStep) => void;
}

/** Paints without a pointer: a rectangle in the picture's pixels. */
function RectangleForm({ image, erases, scale, onAdd }: RectangleProps) {
  const [box, setBox] = useState(() => ({
    x: Math.round(image.width / 4),
    y: Math.round(image.height / 4),
    width: Math.round(image.width / 2),
    height: Math.round(image.height / 2),
  }));
  const field = (name: keyof typeof box, label: string, minValue: number, maxValue: number) => (
    <NumberField
      label={label}
      value={box[name]}
      onChange={(value) => !Number.isNaN(value) && setBox({ ...box, [name]: value })}
      minValue={minValue}
      maxValue={maxValue}
    />
  );
  const add = () =>
    onAdd({ kind: "rectangle", x: box.x * scale, y: box.y * scale, width: box.width * scale, height: box.height * scale, erases });
  return (
    <fieldset className="mask-rectangle" aria-label="Rectangle">
      {field("x", "Left", 0, image.width - 1)}
      {field("y", "Top", 0, image.height - 1)}
      {field("width", "Width", 1, image.width)}
      {field("height", "Height", 1, image.height)}
      <Button size="s" icon={erases ? "minus" : "plus"} onPress={add}>
        {erases ? "Erase rectangle" : "Add rectangle"}
      </Button>
    </fieldset>
  );
}
