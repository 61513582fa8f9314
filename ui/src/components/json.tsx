// JSON as a tree that folds. Everything is text: what a payload contains never becomes markup.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

const SHOWN = 100;
const LONG = 400;

interface Props {
  value: unknown;
  name?: string | undefined;
  depth?: number;
  search?: string;
}

function size(value: unknown): string {
  if (Array.isArray(value)) return value.length === 1 ? "1 item" : `${value.length} items`;
  const count = Object.keys(value as object).length;
  return count === 1 ? "1 field" : `${count} fields`;
}

function contains(value: unknown, search: string): boolean {
  if (typeof value !== "object" || value === null) return String(value).toLowerCase().includes(search);
  return Object.entries(value).some(([name, inner]) => name.toLowerCase().includes(search) || contains(inner, search));
}

function Scalar({ value }: { value: unknown }): JSX.Element {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return <span class={`json-${value === null ? "null" : typeof value}`}>{String(value)}</span>;
  const cut = !whole && value.length > LONG;
  return (
    <span class="json-string">
      {cut ? `${value.slice(0, LONG)}…` : value}
      {cut && (
        <button type="button" class="button quiet" onClick={() => setWhole(true)}>
          all {value.length.toLocaleString()} characters
        </button>
      )}
    </span>
  );
}

export function Json({ value, name, depth = 0, search = "" }: Props): JSX.Element {
  const [open, setOpen] = useState(depth < 2);
  const [shown, setShown] = useState(SHOWN);
  const label = name === undefined ? null : <span class="json-name">{name}: </span>;
  if (typeof value !== "object" || value === null) {
    return (
      <div class="json-line">
        {label}
        <Scalar value={value} />
      </div>
    );
  }
  const all = Object.entries(value);
  const entries = search ? all.filter(([key, inner]) => key.toLowerCase().includes(search) || contains(inner, search)) : all;
  const unfolded = open || search !== "";
  return (
    <div class="json-node">
      <button type="button" class="json-fold" aria-expanded={unfolded} onClick={() => setOpen(!open)}>
        {label}
        <span class="faint">
          {unfolded ? "▾" : "▸"} {Array.isArray(value) ? "[ ]" : "{ }"} {size(value)}
        </span>
      </button>
      {unfolded && (
        <div class="json-inner">
          {entries.slice(0, shown).map(([key, inner]) => (
            <Json key={key} name={key} value={inner} depth={depth + 1} search={search && !key.toLowerCase().includes(search) ? search : ""} />
          ))}
          {entries.length > shown && (
            <button type="button" class="button quiet" onClick={() => setShown(shown + 10 * SHOWN)}>
              {(entries.length - shown).toLocaleString()} more
            </button>
          )}
        </div>
      )}
    </div>
  );
}
