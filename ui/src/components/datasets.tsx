// What a run has read and written: the versions, and what the run tells of them.

import type { JSX } from "preact";
import type { HistoryEvent, Run, VersionOfRun } from "../lib/api_types";
import { href, paths } from "../lib/router";
import { DatasetLink } from "./dataset_link";
import { assertionsOf, Statistics } from "./quality";
import { field } from "./run_row";

interface Used {
  namespace: string;
  name: string;
  version: string | null;
  facets: Record<string, unknown>;
  columns: { name: string; type: string }[];
}

const SIDES = { inputs: "inputFacets", outputs: "outputFacets" } as const;
type Side = keyof typeof SIDES;

function told(events: readonly HistoryEvent[], side: Side): Map<string, Used> {
  const found = new Map<string, Used>();
  for (const event of events) {
    const all = field(event.payload, side);
    if (!Array.isArray(all)) continue;
    for (const each of all as unknown[]) {
      const namespace = field(each, "namespace");
      const name = field(each, "name");
      if (typeof namespace !== "string" || typeof name !== "string") continue;
      const key = `${namespace}\n${name}`;
      const schema = field(field(field(each, "facets"), "schema"), "fields");
      const columns = Array.isArray(schema)
        ? schema.map((column: unknown) => ({ name: String(field(column, "name") ?? ""), type: String(field(column, "type") ?? "") }))
        : [];
      const facets = field(each, SIDES[side]);
      const before = found.get(key);
      found.set(key, {
        namespace,
        name,
        version: null,
        facets: { ...before?.facets, ...(typeof facets === "object" && facets !== null ? (facets as Record<string, unknown>) : {}) },
        columns: columns.length > 0 ? columns : (before?.columns ?? []),
      });
    }
  }
  return found;
}

function used(versions: readonly VersionOfRun[], events: readonly HistoryEvent[], side: Side): Used[] {
  const found = told(events, side);
  for (const { datasetVersionId: id, facets } of versions) {
    const key = `${id.namespace}\n${id.name}`;
    const before = found.get(key);
    found.set(key, { namespace: id.namespace, name: id.name, version: id.version, facets: { ...before?.facets, ...facets }, columns: before?.columns ?? [] });
  }
  return [...found.values()];
}

function List({ title, all }: { title: string; all: Used[] }): JSX.Element | null {
  if (all.length === 0) return null;
  return (
    <div>
      <h3>{title}</h3>
      <ul class="datasets">
        {all.map((dataset) => <Item key={`${dataset.namespace}\n${dataset.name}`} dataset={dataset} />)}
      </ul>
    </div>
  );
}

function Item({ dataset }: { dataset: Used }): JSX.Element {
  const failed = assertionsOf(dataset.facets).filter((each) => !each.success);
  return (
    <li>
      <span>
        <DatasetLink dataset={dataset} />{" "}
        {dataset.version && (
          <a class="small nowrap version-of-dataset" href={`${href(paths.dataset(dataset.namespace, dataset.name))}?after=${dataset.version}`} title="This version of the dataset">
            @ <code>{dataset.version.slice(0, 8)}</code>
          </a>
        )}
      </span>
      {failed.length > 0 && (
        <span class="tags">{failed.slice(0, 5).map((each, index) => <span key={index} class="tag bad">✗ {each.name} {each.column}</span>)}</span>
      )}
      <Statistics facets={dataset.facets} />
      {dataset.columns.length > 0 && (
        <details>
          <summary class="faint small">{dataset.columns.length} columns</summary>
          <dl class="schema mono">
            {dataset.columns.map((column) => (
              <>
                <dt>{column.name}</dt>
                <dd class="faint">{column.type}</dd>
              </>
            ))}
          </dl>
        </details>
      )}
    </li>
  );
}

export function Datasets({ run, events }: { run: Run; events: readonly HistoryEvent[] }): JSX.Element | null {
  const inputs = used(run.inputDatasetVersions, events, "inputs");
  const outputs = used(run.outputDatasetVersions, events, "outputs");
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
