// All of a graph that does not fit, small, with a frame around the part in view; a press or a drag goes elsewhere.

import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Camera, seen } from "./camera";
import type { Layout } from "./layout";
import { type Model, WIDTH } from "./model";

const MOST_WIDTH = 176;
const MOST_HEIGHT = 112;
const LEAST_SIDE = 1.5; // pixels of a box
const LEAST_FRAME = 6; // pixels of the part in view

/** Shows what a camera sees in a window of so many pixels. */
export type Follow = (camera: Camera, width: number, height: number) => void;

interface Props {
  model: Model;
  layout: Layout;
  follow: { current: Follow | null }; // set here, and called whenever the camera has moved
  onMove: (planeX: number, planeY: number) => void;
}

export function Minimap({ model, layout, follow, onMove }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const part = useRef<HTMLDivElement>(null);
  const painted = useRef("");
  const scale = Math.min(MOST_WIDTH / Math.max(1, layout.width), MOST_HEIGHT / Math.max(1, layout.height));
  const [width, height] = [Math.max(LEAST_FRAME, layout.width * scale), Math.max(LEAST_FRAME, layout.height * scale)];

  function paint(): void {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    const density = window.devicePixelRatio || 1;
    canvas.current.width = Math.round(width * density);
    canvas.current.height = Math.round(height * density);
    context.scale(density, density);
    const style = getComputedStyle(canvas.current);
    painted.current = style.color;
    model.boxes.forEach((each, index) => {
      // What went well is as grey as a dataset: what did not, and what runs, is to be found.
      const state = each.run && each.run.state !== "COMPLETED" ? style.getPropertyValue(`--${each.run.state.toLowerCase()}`) : "";
      context.fillStyle = state || style.color;
      context.globalAlpha = state ? 1 : 0.55;
      const [w, h] = [Math.max(LEAST_SIDE, WIDTH * scale), Math.max(LEAST_SIDE, each.height * scale)];
      context.fillRect((layout.x[index] ?? 0) * scale, (layout.y[index] ?? 0) * scale, w, h);
    });
  }
  useLayoutEffect(paint, [model, layout]);

  follow.current = (camera, frameWidth, frameHeight) => {
    if (!box.current || !part.current || !canvas.current) return;
    const area = seen(camera, frameWidth, frameHeight);
    box.current.hidden = area.left <= 0 && area.top <= 0 && area.right >= layout.width && area.bottom >= layout.height;
    if (box.current.hidden) return;
    const [left, right] = inside(area.left * scale, area.right * scale, width);
    const [top, bottom] = inside(area.top * scale, area.bottom * scale, height);
    part.current.style.transform = `translate(${left}px, ${top}px)`;
    part.current.style.width = `${right - left}px`;
    part.current.style.height = `${bottom - top}px`;
    if (getComputedStyle(canvas.current).color !== painted.current) paint(); // the theme has changed
  };

  function go(event: PointerEvent): void {
    if (event.buttons !== 1 || !canvas.current) return;
    const at = canvas.current.getBoundingClientRect();
    onMove((event.clientX - at.left) / scale, (event.clientY - at.top) / scale);
  }
  return (
    <div ref={box} class="minimap" role="img" aria-label="The whole graph, with a frame around the part in view" hidden
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={go}>
      <canvas ref={canvas} style={{ width: `${width}px`, height: `${height}px` }} />
      <div ref={part} />
    </div>
  );
}

/** Returns the part of an interval that is within 0 and `end`, and wide enough to be seen. */
function inside(from: number, to: number, end: number): [number, number] {
  const low = Math.min(Math.max(0, from), end - LEAST_FRAME);
  return [low, Math.max(low + LEAST_FRAME, Math.min(end, to))];
}
