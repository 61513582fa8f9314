// The filters of the runs view.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { api } from "../lib/api";
import { useAnswer } from "../lib/query";
import { query, setQuery } from "../lib/router";
import { hasFilters, LAST, lengthOf, MARK_TEXTS, MARKS, TIMES, timeName } from "../lib/run_filters";
import { inputValue, isoOfInput } from "../lib/time";
import { Shape, STATES, WORDS } from "./basics";

function toggleState(state: string): void {
  const states = new Set((query.value.get("state") ?? "").split(",").filter(Boolean));
  if (!states.delete(state)) states.add(state);
  setQuery({ state: [...states].join(",") });
}

/** A field that changes the address when the reader is done with it: Enter, or a click elsewhere. */
export function TextFilter({ name, label, list, filter = false }: { name: string; label: string; list?: string; filter?: boolean }): JSX.Element {
  const value = query.value.get(name) ?? "";
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const apply = (): void => {
    if (text.trim() !== value) setQuery({ [name]: text.trim(), page: null });
  };
  return (
    <input type="search" aria-label={label} placeholder={label} list={list} value={text} data-filter={filter ? "" : undefined} spellcheck={false}
      onInput={(event) => setText(event.currentTarget.value)} onChange={apply} onSearch={apply}
      onKeyDown={(event) => {
        if (event.key === "Enter") apply();
        if (event.key === "Escape") event.currentTarget.blur();
      }} />
  );
}

/** A field for a duration. One that cannot be read is marked, and filters nothing. */
function LengthFilter({ name, label }: { name: "longer" | "shorter"; label: string }): JSX.Element {
  const value = query.value.get(name) ?? "";
  return (
    <input type="text" class="length" aria-label={label} title={`${label}: 90s, 15m, 2h or 1d`} placeholder={name === "longer" ? "≥ 15m" : "≤ 2h"}
      value={value} aria-invalid={value !== "" && lengthOf(value) === null} spellcheck={false}
      onChange={(event) => setQuery({ [name]: event.currentTarget.value.trim() })} />
  );
}

export function StateChips(): JSX.Element {
  const states = new Set((query.value.get("state") ?? "").split(","));
  return (
    <div class="chips" role="group" aria-label="States">
      {STATES.map((state) => (
        <button key={state} type="button" class={state} aria-pressed={states.has(state)} title={WORDS[state]} onClick={() => toggleState(state)}>
          <Shape state={state} />
          <span class="word">{WORDS[state]}</span>
        </button>
      ))}
    </div>
  );
}

function Interval(): JSX.Element {
  const name = timeName(query.value);
  const last = query.value.get("last") ?? "";
  const custom = query.value.has("from") || query.value.has("to");
  return (
    <div class="filters">
      <select aria-label="Which time" value={name} onChange={(event) => setQuery({ time: event.currentTarget.value })}>
        {Object.entries(TIMES).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      <select aria-label="Interval" value={custom ? "custom" : last}
        onChange={(event) => {
          const { value } = event.currentTarget;
          if (value === "custom") setQuery({ last: null, from: new Date(Date.now() - 86_400_000).toISOString(), to: null });
          else setQuery({ last: value, from: null, to: null });
        }}>
        <option value="">at any time</option>
        {Object.entries(LAST).map(([value, each]) => (
          <option key={value} value={value}>
            in the last {each.text}
          </option>
        ))}
        <option value="custom">between…</option>
      </select>
      {custom && (
        <>
          <TimeInput name="from" label="From" />
          <span class="faint">–</span>
          <TimeInput name="to" label="Until" />
        </>
      )}
    </div>
  );
}

export function TimeInput({ name, label }: { name: string; label: string }): JSX.Element {
  const value = query.value.get(name);
  return (
    <input type="datetime-local" aria-label={label} title={`${label}, in your time zone`} value={inputValue(value)}
      onChange={(event) => setQuery({ [name]: isoOfInput(event.currentTarget.value) })} />
  );
}

export function NamespaceFilter(): JSX.Element {
  const namespaces = useAnswer("namespaces", (signal) => api.namespaces(signal));
  const chosen = query.value.get("namespace") ?? "";
  const names = namespaces.data?.namespaces.map((each) => each.name) ?? [];
  if (chosen && !names.includes(chosen)) names.push(chosen);
  return (
    <select aria-label="Namespace" class="namespaces" value={chosen} onChange={(event) => setQuery({ namespace: event.currentTarget.value, page: null })}>
      <option value="">All namespaces</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

export function RunFilterBar(): JSX.Element {
  return (
    <div class="filters bar-of-filters">
      <StateChips />
      <NamespaceFilter />
      <TextFilter name="job" label="Job name" filter />
      <Interval />
      <LengthFilter name="longer" label="Took at least" />
      <LengthFilter name="shorter" label="Took at most" />
      <TextFilter name="parent" label="Id of the parent" />
      <div class="chips" role="group" aria-label="Only runs that are">
        {MARKS.map((mark) => (
          <button key={mark} type="button" aria-pressed={query.value.get(mark) === "true"} title={MARK_TEXTS[mark][1]}
            onClick={() => setQuery({ [mark]: query.value.get(mark) === "true" ? null : "true" })}>
            {MARK_TEXTS[mark][0]}
          </button>
        ))}
      </div>
      {hasFilters(query.value) && (
        <a class="button quiet" href={location.pathname}>
          Clear
        </a>
      )}
    </div>
  );
}
