// Draws links, and boxes that are too small or too many to be elements, on the canvas behind the elements.

import { type Camera, seen } from "./camera";
import type { Layout } from "./layout";
import { type Box, type Model, shortName, WIDTH } from "./model";

export interface Scene {
  model: Model;
  layout: Layout;
  routes: number[][];
  lit: ReadonlySet<string> | null; // boxes or rows on the way through the chosen one; null: nothing is chosen
  found: ReadonlySet<string>; // what the search in the graph finds
  chosen: string | null;
  states: (box: Box) => string | null;
}

interface Colours {
  line: string;
  faint: string;
  panel: string;
  accent: string;
  text: string;
  mark: string;
  states: Record<string, string>;
}

function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const get = (name: string): string => style.getPropertyValue(name).trim();
  return {
    line: get("--strong-line"),
    faint: get("--faint"),
    panel: get("--panel"),
    accent: get("--accent"),
    text: get("--text"),
    mark: get("--mark"),
    states: { NEW: get("--new"), RUNNING: get("--running"), COMPLETED: get("--completed"), FAILED: get("--failed"), ABORTED: get("--aborted") },
  };
}

/** `elements`: the boxes that are there as elements, and are not drawn. */
export function paint(canvas: HTMLCanvasElement, scene: Scene, camera: Camera, elements: ReadonlySet<number>): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const density = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
  }
  const colours = coloursOf(canvas);
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  context.setTransform(density * camera.scale, 0, 0, density * camera.scale, density * camera.x, density * camera.y);
  paintLinks(context, scene, camera, width, height, colours);
  paintBoxes(context, scene, camera, elements, width, height, colours);
}

function paintLinks(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, width: number, height: number, colours: Colours): void {
  const area = seen(camera, width, height, 40);
  const { links } = scene.model;
  const { lit } = scene;
  const arrows = camera.scale > 0.35;
  for (const bright of lit ? [false, true] : [false]) {
    context.beginPath();
    const heads: [number, number][] = [];
    links.forEach((link, index) => {
      if (lit && (lit.has(link.source) && lit.has(link.target)) !== bright) return;
      const points = scene.routes[index];
      if (!points || !overlaps(points, area)) return;
      trace(context, points);
      if (arrows) heads.push([points[points.length - 2] ?? 0, points[points.length - 1] ?? 0]);
    });
    context.strokeStyle = bright ? colours.accent : colours.faint;
    context.globalAlpha = bright ? 1 : lit ? 0.2 : camera.scale < 0.3 ? 0.35 : 0.6;
    context.lineWidth = Math.max(bright ? 2 : 1.2, (bright ? 1.6 : 0.7) / camera.scale);
    context.stroke();
    context.fillStyle = context.strokeStyle;
    context.beginPath();
    for (const [x, y] of heads) {
      context.moveTo(x, y);
      context.lineTo(x - 8, y - 4);
      context.lineTo(x - 8, y + 4);
    }
    context.fill();
  }
  context.globalAlpha = 1;
}

function overlaps(points: readonly number[], area: { left: number; top: number; right: number; bottom: number }): boolean {
  let left = Infinity;
  let right = -Infinity;
  let top = Infinity;
  let bottom = -Infinity;
  for (let index = 0; index < points.length; index += 2) {
    const x = points[index] ?? 0;
    const y = points[index + 1] ?? 0;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return right + 60 >= area.left && left - 60 <= area.right && bottom >= area.top && top <= area.bottom;
}

function trace(context: CanvasRenderingContext2D, points: readonly number[]): void {
  context.moveTo(points[0] ?? 0, points[1] ?? 0);
  for (let index = 2; index < points.length; index += 2) {
    const [x0, y0, x1, y1] = [points[index - 2] ?? 0, points[index - 1] ?? 0, points[index] ?? 0, points[index + 1] ?? 0];
    const bend = x1 > x0 ? (x1 - x0) / 2 : 70; // a link that leads back goes around
    context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
  }
}

function paintBoxes(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, elements: ReadonlySet<number>, width: number, height: number, colours: Colours): void {
  const area = seen(camera, width, height);
  const { model, layout, lit, found, chosen } = scene;
  const names = camera.scale > 0.3;
  context.font = "13px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.lineWidth = Math.max(1, 0.6 / camera.scale);
  model.boxes.forEach((box, index) => {
    if (elements.has(index)) return;
    const x = layout.x[index] ?? 0;
    const y = layout.y[index] ?? 0;
    if (x + WIDTH < area.left || x > area.right || y + box.height < area.top || y > area.bottom) return;
    const state = scene.states(box);
    const dark = lit !== null && !isLit(box, lit) && !found.has(box.id);
    context.globalAlpha = dark ? 0.3 : 1;
    context.fillStyle = found.has(box.id) ? colours.mark : colours.panel;
    context.strokeStyle = box.id === chosen || found.has(box.id) ? colours.accent : colours.faint;
    context.beginPath();
    context.roundRect(x, y, WIDTH, box.height, box.kind === "job" ? 14 : 2);
    context.fill();
    context.stroke();
    if (state && !names && state !== "COMPLETED") {
      context.globalAlpha *= 0.35; // from afar what needs attention is a spot of its colour
      context.fillStyle = colours.states[state] ?? colours.faint;
      context.fill();
      context.globalAlpha = dark ? 0.3 : 1;
    }
    if (state) paintState(context, state, x, y, box.height, names ? 20 : 40, colours);
    if (names) {
      context.fillStyle = colours.text;
      context.fillText(shortName(box.name), x + (state ? 42 : 12), y + Math.min(box.height, 46) / 2);
    }
  });
  context.globalAlpha = 1;
}

function isLit(box: Box, lit: ReadonlySet<string>): boolean {
  return lit.has(box.id) || box.rows.some((row) => lit.has(row.id));
}

/** The state of the latest run by colour and by shape: a cross, a triangle, a square, a hook, a ring. */
function paintState(context: CanvasRenderingContext2D, state: string, x: number, y: number, height: number, size: number, colours: Colours): void {
  const colour = colours.states[state] ?? colours.faint;
  const [left, top] = [x + 12, y + (height - size) / 2];
  context.save();
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = size / 5;
  context.beginPath();
  if (state === "FAILED") {
    context.moveTo(left, top);
    context.lineTo(left + size, top + size);
    context.moveTo(left + size, top);
    context.lineTo(left, top + size);
    context.stroke();
  } else if (state === "RUNNING") {
    context.moveTo(left, top);
    context.lineTo(left + size, top + size / 2);
    context.lineTo(left, top + size);
    context.fill();
  } else if (state === "ABORTED") {
    context.fillRect(left, top, size, size);
  } else if (state === "COMPLETED") {
    context.moveTo(left, top + size * 0.55);
    context.lineTo(left + size * 0.38, top + size * 0.9);
    context.lineTo(left + size, top + size * 0.1);
    context.stroke();
  } else {
    context.arc(left + size / 2, top + size / 2, size / 2 - 2, 0, Math.PI * 2);
    context.stroke();
  }
  context.restore();
}
