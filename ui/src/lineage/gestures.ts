// Wheel, mouse, touch: how the reader moves the plane.

import { useEffect, useRef } from "preact/hooks";
import { type Camera, zoomed } from "./camera";

const CLICK_PX = 5;

/** Moves a camera by wheel and pointers over an element. Returns whether the last press was a movement, not a click. */
export function useGestures(frame: { current: HTMLElement | null }, camera: { current: Camera }, moved: () => void): { current: boolean } {
  const dragged = useRef(false);
  const changed = useRef(moved);
  changed.current = moved;
  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const pointers = new Map<number, { x: number; y: number }>();
    let travelled = 0;

    function at(event: { clientX: number; clientY: number }): { x: number; y: number } {
      const box = element?.getBoundingClientRect();
      return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
    }
    function wheel(event: WheelEvent): void {
      event.preventDefault();
      const { x, y } = at(event);
      const step = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      if (event.shiftKey) camera.current = { ...camera.current, x: camera.current.x - (event.deltaY + event.deltaX) * step };
      else camera.current = zoomed(camera.current, Math.exp(-event.deltaY * step * (event.ctrlKey ? 0.01 : 0.0018)), x, y);
      changed.current();
    }
    function down(event: PointerEvent): void {
      if (event.button !== 0 || (event.target instanceof Element && event.target.closest("button, aside, .minimap"))) return;
      pointers.set(event.pointerId, at(event));
      travelled = 0;
      dragged.current = false;
    }
    function move(event: PointerEvent): void {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const was = Math.hypot(before.x - other.x, before.y - other.y);
        const is = Math.hypot(now.x - other.x, now.y - other.y);
        camera.current = zoomed(camera.current, is / Math.max(1, was), (now.x + other.x) / 2, (now.y + other.y) / 2);
      } else {
        travelled += Math.hypot(now.x - before.x, now.y - before.y);
        if (travelled < CLICK_PX) return;
        if (!dragged.current) element?.setPointerCapture(event.pointerId);
        camera.current = { ...camera.current, x: camera.current.x + now.x - before.x, y: camera.current.y + now.y - before.y };
      }
      dragged.current = true;
      pointers.set(event.pointerId, now);
      changed.current();
    }
    function up(event: PointerEvent): void {
      pointers.delete(event.pointerId);
    }
    function drag(event: DragEvent): void {
      event.preventDefault(); // links are not dragged away: the plane is moved
    }
    element.addEventListener("wheel", wheel, { passive: false });
    element.addEventListener("pointerdown", down);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
    element.addEventListener("dragstart", drag);
    return () => {
      element.removeEventListener("wheel", wheel);
      element.removeEventListener("pointerdown", down);
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", up);
      element.removeEventListener("pointercancel", up);
      element.removeEventListener("dragstart", drag);
    };
  }, []);
  return dragged;
}
