// A list of which only the rows in view are in the document, so that 10,000 of them scroll as 20 do.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { keepScrolled, scrolledTo } from "../lib/scrolled";

const SPARE = 12; // rows above and below those in view
const STEP = 4; // rows come and go in so many at once: most frames of a scroll then make none

interface Props<T> {
  items: readonly T[];
  rowHeight: number;
  height: string;
  label: string;
  row: (item: T, index: number, top: number) => JSX.Element;
  of: readonly unknown[]; // what rows show beside their items: while it stays the same, rows are made once
  onEnd?: (() => void) | undefined; // called when the last rows come into view
  selected?: number;
  spare?: number;
  table?: boolean; // whether the rows are those of a table
}

interface Made<T> {
  item: T;
  row: JSX.Element;
}

export function Windowed<T>({ items, rowHeight, height, label, row, of, onEnd, selected, spare = SPARE, table = false }: Props<T>): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ first: 0, last: 60 });

  function measure(): void {
    const element = box.current;
    if (!element) return;
    const first = Math.max(0, Math.floor(element.scrollTop / rowHeight / STEP) * STEP - spare);
    const last = Math.ceil((element.scrollTop + element.clientHeight) / rowHeight / STEP) * STEP + spare;
    setRange((before) => (before.first === first && before.last === last ? before : { first, last }));
  }

  const restored = useRef(false);
  useLayoutEffect(() => {
    if (box.current && items.length > 0 && !restored.current) {
      restored.current = true;
      box.current.scrollTop = scrolledTo(label);
    }
    measure();
  }, [items.length, rowHeight]);
  function scrolled(): void {
    if (box.current && restored.current) keepScrolled(label, box.current.scrollTop);
    measure();
  }
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (onEnd && range.last >= items.length) onEnd();
  }, [range.last, items.length]);
  useEffect(() => {
    const element = box.current;
    if (!element || selected === undefined || selected < 0) return;
    const top = selected * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight - element.clientHeight;
  }, [selected]);

  // A row that is made already is not looked at again: most of a frame would go into comparing rows that stay the same.
  const made = useRef({ of, rows: new Map<number, Made<T>>() });
  if (of.length !== made.current.of.length || of.some((value, index) => !Object.is(value, made.current.of[index]))) {
    made.current = { of, rows: new Map() };
  }
  const before = made.current.rows;
  made.current.rows = new Map();
  const shown = items.slice(range.first, range.last).map((item, offset) => {
    const index = range.first + offset;
    const known = before.get(index);
    const own = known && known.item === item ? known : { item, row: row(item, index, index * rowHeight) };
    made.current.rows.set(index, own);
    return own.row;
  });
  return (
    <div class="rows" ref={box} style={{ height }} onScroll={scrolled} role={table ? "rowgroup" : "group"} aria-label={label} tabIndex={-1}>
      <div style={{ height: `${items.length * rowHeight}px` }} role="presentation">
        {shown}
      </div>
    </div>
  );
}
