// The graph: links and distant boxes on a canvas, near ones as elements; only what is in view is there.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useShortcuts } from "../lib/keys";
import type { Moment } from "../lib/moment";
import { query, setQuery } from "../lib/router";
import { type Camera, cameraOf, cameraText, centred, fitted, seen, zoomed } from "./camera";
import { Cards } from "./cards";
import { useGestures } from "./gestures";
import type { Layout } from "./layout";
import { type Follow, Minimap } from "./minimap";
import { type Box, type Fold, type Model, routesOf, WIDTH } from "./model";
import { paint, type Scene } from "./paint";
import { usePastStates } from "./past_states";

const CARD_SCALE = 0.45;
const MOST_CARDS = 250;
const READABLE = 0.8;
const LEAST_AT_FIRST = 0.6; // a graph that is smaller as a whole is shown from its centre
const STEP_PX = 80;
const SETTLED_MS = 400;

interface Props {
  model: Model;
  layout: Layout;
  lit: ReadonlySet<string> | null;
  found: ReadonlySet<string>;
  chosen: string | null;
  centre: string;
  moment: Moment;
  hiddenBeside: (box: Box, side: Fold) => number;
  addressOf: (id: string) => string;
  onChoose: (id: string | null) => void;
  onUnfold: (box: Box, side: Fold) => void;
}

export function GraphView(props: Props): JSX.Element {
  const { model, layout, lit, found, chosen, centre, moment } = props;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const layer = useRef<HTMLDivElement>(null);
  const camera = useRef<Camera>({ x: 0, y: 0, scale: 1 });
  const [cards, setCards] = useState<readonly number[]>([]);
  const map = useRef<Follow | null>(null);
  const pending = useRef(0);
  const saving = useRef(0);
  const placed = useRef<{ model: Model; layout: Layout } | null>(null);
  const focusWanted = useRef(false);
  const routes = useRef<{ layout: Layout; model: Model; routes: number[][] } | null>(null);
  if (routes.current?.layout !== layout || routes.current.model !== model) routes.current = { layout, model, routes: routesOf(model, layout) };

  const asked = (cards.length > 0 ? cards.map((index) => model.boxes[index]) : model.boxes.slice(0, MOST_CARDS)).flatMap((box) => (box && !box.run && box.runId ? [box.runId] : []));
  const past = usePastStates(asked, moment);
  const states = (box: Box): string | null => box.run?.state ?? (box.runId ? past(box.runId) : null);
  const scene: Scene = { model, layout, routes: routes.current.routes, lit, found, chosen, states };
  const latest = useRef(scene);
  latest.current = scene;

  function size(): { width: number; height: number } {
    return { width: frame.current?.clientWidth ?? 0, height: frame.current?.clientHeight ?? 0 };
  }

  function draw(): void {
    pending.current = 0;
    if (!frame.current || !canvas.current || !layer.current) return;
    const { width, height } = size();
    const { x, y, scale } = camera.current;
    const { boxes } = latest.current.model;
    const at = latest.current.layout;
    const area = seen(camera.current, width, height, 80 / scale);
    const near: number[] = [];
    if (scale >= CARD_SCALE) {
      for (let index = 0; index < boxes.length && near.length <= MOST_CARDS; index++) {
        const [left, top] = [at.x[index] ?? 0, at.y[index] ?? 0];
        if (left < area.right && left + WIDTH > area.left && top < area.bottom && top + (boxes[index]?.height ?? 0) > area.top) near.push(index);
      }
    }
    const next = near.length > MOST_CARDS ? [] : near;
    const same = next.length === cardsShown.current.length && next.every((each, place) => each === cardsShown.current[place]);
    if (!same) setCards((cardsShown.current = next));
    paint(canvas.current, latest.current, camera.current, elements.current);
    layer.current.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    map.current?.(camera.current, width, height);
    frame.current.dataset["scale"] = scale.toFixed(3);
  }
  const cardsShown = useRef<readonly number[]>([]);
  const elements = useRef<ReadonlySet<number>>(new Set());

  function schedule(): void {
    pending.current ||= requestAnimationFrame(draw);
  }

  function moved(): void {
    schedule();
    clearTimeout(saving.current);
    saving.current = window.setTimeout(() => setQuery({ view: cameraText(camera.current) }, true), SETTLED_MS);
  }

  const dragged = useGestures(frame, camera, moved);

  function zoom(factor: number): void {
    const { width, height } = size();
    camera.current = zoomed(camera.current, factor, width / 2, height / 2);
    moved();
  }
  function fit(): void {
    const { width, height } = size();
    camera.current = fitted(layout.width, layout.height, width, height);
    moved();
  }
  function show(id: string, scale = Math.max(READABLE, camera.current.scale)): void {
    const index = model.places.get(id);
    if (index === undefined) return;
    const { width, height } = size();
    camera.current = centred((layout.x[index] ?? 0) + WIDTH / 2, (layout.y[index] ?? 0) + Math.min(model.boxes[index]?.height ?? 0, 200) / 2, scale, width, height);
    moved();
  }
  function lookAt(x: number, y: number): void {
    const { width, height } = size();
    camera.current = centred(x, y, camera.current.scale, width, height);
    moved();
  }
  function pan(byX: number, byY: number): void {
    camera.current = { ...camera.current, x: camera.current.x + byX, y: camera.current.y + byY };
    moved();
  }

  // A new layout: the first one is fitted, or shown from its centre; later ones keep what is looked at in its place.
  useLayoutEffect(() => {
    const before = placed.current;
    const anchor = [chosen, centre].find((id) => id !== null && model.places.has(id) && (before === null || before.model.places.has(id)));
    const index = anchor ? model.places.get(anchor) : undefined;
    if (before === null) {
      const { width, height } = size();
      const whole = fitted(layout.width, layout.height, width, height);
      camera.current = cameraOf(query.peek().get("view")) ??
        (whole.scale >= (model.boxes.some((box) => box.rows.length > 0) ? READABLE : LEAST_AT_FIRST) || index === undefined ? whole : centred((layout.x[index] ?? 0) + WIDTH / 2, (layout.y[index] ?? 0) + 20, READABLE, width, height));
    } else if (anchor && index !== undefined) {
      const old = before.model.places.get(anchor) ?? 0;
      const { scale } = camera.current;
      camera.current = {
        scale,
        x: camera.current.x + ((before.layout.x[old] ?? 0) - (layout.x[index] ?? 0)) * scale,
        y: camera.current.y + ((before.layout.y[old] ?? 0) - (layout.y[index] ?? 0)) * scale,
      };
    }
    placed.current = { model, layout };
  }, [model, layout]);
  useLayoutEffect(() => {
    elements.current = new Set(cards);
    schedule();
  });
  useEffect(() => {
    const observer = new ResizeObserver(schedule);
    if (frame.current) observer.observe(frame.current);
    const theme = new MutationObserver(schedule);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", schedule);
    return () => {
      observer.disconnect();
      theme.disconnect();
      system.removeEventListener("change", schedule);
      cancelAnimationFrame(pending.current);
      clearTimeout(saving.current);
    };
  }, []);
  useEffect(() => {
    const index = chosen === null ? undefined : model.places.get(chosen);
    if (chosen === null || index === undefined) return;
    const { width, height } = size();
    const area = seen(camera.current, width, height, -20 / camera.current.scale);
    const [x, y] = [layout.x[index] ?? 0, layout.y[index] ?? 0];
    if (x < area.left || x + WIDTH > area.right || y < area.top || y + 40 > area.bottom) show(chosen);
  }, [chosen]);
  useEffect(() => {
    // Boxes come and go with the view, also the one that has the focus; it is given back unless the reader went elsewhere.
    const active = document.activeElement;
    if (!focusWanted.current || chosen === null || (active !== document.body && !frame.current?.contains(active))) return;
    const element = [...(layer.current?.querySelectorAll<HTMLElement>("[data-id]") ?? [])].find((each) => each.dataset["id"] === chosen);
    element?.focus({ preventScroll: true });
  }, [chosen, cards]);
  useShortcuts("Graph", [
    { keys: "+", text: "Nearer", action: () => zoom(1.3) },
    { keys: "-", text: "Farther", action: () => zoom(1 / 1.3) },
    { keys: "0", text: "All of it", action: fit },
    { keys: "c", text: "Back to where it began", action: () => show(centre) },
  ]);

  /** The neighbour in a direction: along a link to the left and right, the next one of the column up and down. */
  function neighbour(key: string): string | null {
    if (chosen === null) return null;
    const index = model.places.get(chosen) ?? 0;
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const others = (key === "ArrowLeft" ? model.up : model.down).get(chosen) ?? [];
      const y = layout.y[index] ?? 0;
      const distance = (id: string): number => Math.abs((layout.y[model.places.get(id) ?? 0] ?? 0) - y);
      return others.toSorted((one, other) => distance(one) - distance(other))[0] ?? null;
    }
    const rows = model.boxes[index]?.rows ?? [];
    const row = rows.findIndex((each) => each.id === chosen);
    const step = key === "ArrowUp" ? -1 : 1;
    if (row >= 0 && rows[row + step]) return rows[row + step]?.id ?? null;
    const column = model.boxes.map((_, each) => each).filter((each) => layout.column[each] === layout.column[index]).sort((one, other) => (layout.y[one] ?? 0) - (layout.y[other] ?? 0));
    const next = column[column.indexOf(index) + step];
    return next === undefined ? null : (model.boxes[next]?.id ?? null);
  }

  function pressed(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Tab" || event.key === "Escape") focusWanted.current = false;
    const moves: Record<string, [number, number]> = { ArrowLeft: [STEP_PX, 0], ArrowRight: [-STEP_PX, 0], ArrowUp: [0, STEP_PX], ArrowDown: [0, -STEP_PX] };
    const by = moves[event.key];
    if (event.key === "Escape" && chosen !== null) {
      props.onChoose(null);
      frame.current?.focus();
    } else if (by) {
      event.preventDefault();
      const next = event.shiftKey ? null : neighbour(event.key);
      if (next !== null) {
        focusWanted.current = true;
        props.onChoose(next);
      } else if (chosen === null || event.shiftKey) pan(...by);
    }
  }

  function clicked(event: MouseEvent): void {
    if (dragged.current) {
      event.preventDefault();
      event.stopPropagation();
      dragged.current = false;
      return;
    }
    if (!frame.current || (event.target instanceof Element && event.target.closest("a, button, .minimap"))) return;
    const place = frame.current.getBoundingClientRect();
    const { x, y, scale } = camera.current;
    const [atX, atY] = [(event.clientX - place.left - x) / scale, (event.clientY - place.top - y) / scale];
    const hit = model.boxes.find((box, index) => {
      const [left, top] = [layout.x[index] ?? 0, layout.y[index] ?? 0];
      return atX >= left && atX <= left + WIDTH && atY >= top && atY <= top + box.height;
    });
    props.onChoose(hit?.id ?? null);
  }

  return (
    <div class="graph-frame" ref={frame} tabIndex={0} role="group" onKeyDown={pressed} onClickCapture={clicked} onPointerDown={() => (focusWanted.current = false)}
      aria-label={`Graph of ${model.boxes.length} nodes. Arrows move it, or go along links from a chosen node; the list has all nodes.`}>
      <canvas ref={canvas} aria-hidden="true" />
      <div class="cards" ref={layer}>
        <Cards {...props} shown={cards.filter((index) => index < model.boxes.length)} states={states} onChoose={(id) => props.onChoose(id === chosen ? null : id)} />
      </div>
      <Minimap model={model} layout={layout} follow={map} onMove={lookAt} />
      <div class="zoom-buttons" role="group" aria-label="View">
        <button type="button" class="button" aria-label="Nearer" title="Nearer: +" onClick={() => zoom(1.3)}>+</button>
        <button type="button" class="button" aria-label="Farther" title="Farther: −" onClick={() => zoom(1 / 1.3)}>−</button>
        <button type="button" class="button" title="All of it: 0" onClick={fit}>Fit</button>
        <button type="button" class="button" title="Back to where it began: c" onClick={() => show(centre)}>Start</button>
      </div>
    </div>
  );
}
