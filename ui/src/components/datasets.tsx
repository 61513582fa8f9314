// What a run has read and written, as its latest event with datasets reports it.

import type { JSX } from "preact";
import type { HistoryEvent } from "../lib/api_types";
import { field } from "./run_row";

interface Dataset {
  namespace: string;
  name: string;
  fields: { name: string; type: string }[];
}

function datasets(value: unknown): Dataset[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: unknown) => {
    const namespace = field(each, "namespace");
    const name = field(each, "name");
    if (typeof namespace !== "string" || typeof name !== "string") return [];
    const schema = field(field(field(each, "facets"), "schema"), "fields");
    const fields = Array.isArray(schema)
      ? schema.map((column: unknown) => ({ name: String(field(column, "name") ?? ""), type: String(field(column, "type") ?? "") }))
      : [];
    return [{ namespace, name, fields }];
  });
}

function latest(events: readonly HistoryEvent[], side: "inputs" | "outputs"): Dataset[] {
  return datasets(field(events.findLast((event) => datasets(field(event.payload, side)).length > 0)?.payload, side));
}

function List({ title, all }: { title: string; all: Dataset[] }): JSX.Element | null {
  if (all.length === 0) return null;
  return (
    <div>
      <h3>{title}</h3>
      <ul class="datasets">
        {all.map((dataset) => (
          <li key={`${dataset.namespace} ${dataset.name}`}>
            <span class="faint small">{dataset.namespace}</span>
            <span class="mono">{dataset.name}</span>
            {dataset.fields.length > 0 && (
              <details>
                <summary class="faint small">{dataset.fields.length} columns</summary>
                <dl class="schema mono">
                  {dataset.fields.map((column) => (
                    <>
                      <dt>{column.name}</dt>
                      <dd class="faint">{column.type}</dd>
                    </>
                  ))}
                </dl>
              </details>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Datasets({ events }: { events: readonly HistoryEvent[] }): JSX.Element | null {
  const inputs = latest(events, "inputs");
  const outputs = latest(events, "outputs");
  if (inputs.length + outputs.length === 0) return null;
  return (
    <section class="panel" aria-label="Datasets">
      <header>
        <h2>Datasets</h2>
      </header>
      <div class="body columns narrow">
        <List title="Read" all={inputs} />
        <List title="Written" all={outputs} />
      </div>
    </section>
  );
}
