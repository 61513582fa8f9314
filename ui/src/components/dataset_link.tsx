// Links to datasets, jobs by the ids of graphs, and lists of datasets.

import type { JSX } from "preact";
import type { DatasetId } from "../lib/api_types";
import { href, paths } from "../lib/router";

export function DatasetLink({ dataset, query = {}, namespace = true }: { dataset: DatasetId; query?: Record<string, string>; namespace?: boolean }): JSX.Element {
  const text = new URLSearchParams(query).toString();
  return (
    <a href={href(paths.dataset(dataset.namespace, dataset.name)) + (text ? `?${text}` : "")} title={`${dataset.namespace} / ${dataset.name}`}>
      {namespace && <span class="faint">{dataset.namespace} / </span>}
      <span class="mono">{dataset.name}</span>
    </a>
  );
}

export function LineageButton({ node, query = {} }: { node: string; query?: Record<string, string> }): JSX.Element {
  return (
    <a class="button quiet" href={href(paths.lineage(node, query))}>
      Lineage
    </a>
  );
}
