// What of the graph is read: direction, depth, earlier runs, parents, columns; what is looked for in it; graph or list.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { query, setQuery } from "../lib/router";

export const DEFAULT_DEPTH = 3;
const MOST_DEPTH = 1_000;

/** Returns the depth in the address. */
export function depthOf(): number {
  const depth = Number(query.value.get("depth") ?? DEFAULT_DEPTH);
  return Number.isInteger(depth) && depth >= 0 ? Math.min(depth, MOST_DEPTH) : DEFAULT_DEPTH;
}

function Toggle({ name, text, title, disabled = false }: { name: string; text: string; title: string; disabled?: boolean }): JSX.Element {
  const on = query.value.get(name) === "true";
  return (
    <button type="button" aria-pressed={on} title={title} disabled={disabled} onClick={() => setQuery({ [name]: on ? null : "true", view: null })}>
      {text}
    </button>
  );
}

const DIRECTIONS = [
  ["up", "Upstream", "Only what it is made of"],
  ["both", "Both", "What it is made of, and what is made of it"],
  ["down", "Downstream", "Only what is made of it"],
] as const;

/** What is typed stays while the page is drawn anew, and counts when the reader is done with it. */
function DepthInput({ depth }: { depth: number }): JSX.Element {
  const [text, setText] = useState(String(depth));
  useEffect(() => setText(String(depth)), [depth]);
  return (
    <input type="number" min={0} max={MOST_DEPTH} value={text} onInput={(event) => setText(event.currentTarget.value)}
      onChange={(event) => setQuery({ depth: event.currentTarget.value === String(DEFAULT_DEPTH) ? null : event.currentTarget.value })} />
  );
}

export interface Finding {
  count: number;
  at: number; // -1: none is chosen
  step: (by: number) => void;
}

export function Controls({ columns, past, finding }: { columns: boolean; past: boolean; finding: Finding }): JSX.Element {
  const direction = query.value.get("direction") ?? "both";
  const depth = depthOf();
  const find = query.value.get("find") ?? "";
  const list = query.value.get("list") === "true";
  return (
    <div class="filters bar-of-filters graph-controls">
      <div class="chips" role="group" aria-label="Direction">
        {DIRECTIONS.map(([value, text, title]) => (
          <button key={value} type="button" aria-pressed={direction === value} title={title} onClick={() => setQuery({ direction: value === "both" ? null : value })}>
            {text}
          </button>
        ))}
      </div>
      <label title={columns ? "How many edges away the graph ends" : "How many jobs away the graph ends"}>
        Depth
        <DepthInput depth={depth} />
      </label>
      <div class="chips" role="group" aria-label="Also">
        <Toggle name="columns" text="Columns" title="Which columns are made of which" />
        {!columns && !past && <Toggle name="earlier" text="Earlier runs" title="Also what earlier runs of the jobs read and wrote" />}
        {!columns && !past && <Toggle name="parents" text="Parents" title="Also the jobs in whose runs those of the graph ran" />}
      </div>
      <span class="find-in-graph">
        <input type="search" aria-label="Find in the graph" placeholder="Find in the graph" value={find} data-filter="" spellcheck={false}
          onInput={(event) => setQuery({ find: event.currentTarget.value }, true)}
          onKeyDown={(event) => {
            if (event.key === "Enter") finding.step(event.shiftKey ? -1 : 1);
            if (event.key === "Escape") event.currentTarget.blur();
          }} />
        {find && (
          <span class="faint small" role="status">
            {finding.count === 0 ? "none" : `${finding.at < 0 ? "" : `${finding.at + 1} of `}${finding.count}`}
          </span>
        )}
        {finding.count > 0 && !list && (
          <>
            <button type="button" class="button quiet" aria-label="Found before" onClick={() => finding.step(-1)}>‹</button>
            <button type="button" class="button quiet" aria-label="Next found" onClick={() => finding.step(1)}>›</button>
          </>
        )}
      </span>
      <span class="space" />
      <div class="chips" role="group" aria-label="Shown as">
        <button type="button" aria-pressed={!list} onClick={() => setQuery({ list: null })}>Graph</button>
        <button type="button" aria-pressed={list} onClick={() => setQuery({ list: "true" })}>List</button>
      </div>
    </div>
  );
}
