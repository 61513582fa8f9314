// All datasets, by namespace and by the beginning of their names, a page at a time.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { CurlButton, Empty, FullName, Problem, Skeleton, Time, useTitle } from "../components/basics";
import { qualityOf } from "../components/quality";
import { NamespaceFilter, TextFilter } from "../components/run_filter_bar";
import { target } from "../lib/api";
import type { Dataset } from "../lib/api_types";
import { useShortcuts } from "../lib/keys";
import { lineage, nodes } from "../lib/lineage_api";
import { useAnswer } from "../lib/query";
import { go, href, paths, query, setQuery } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";

const PAGE = 50;
const RELOAD_MS = 5_000;

export function DatasetsPage(): JSX.Element {
  useTitle("Datasets");
  const namespace = query.value.get("namespace");
  const prefix = query.value.get("name");
  const page = Math.max(1, Number(query.value.get("page")) || 1);
  const parameters = { name: prefix, limit: PAGE, offset: (page - 1) * PAGE };
  const answer = useAnswer(`datasets/${namespace}\n${prefix}\n${page}`, (signal) => lineage.datasets(namespace, parameters, signal));
  const reload = useThrottled(answer.reload, RELOAD_MS);
  useStream(() => reload());
  const [selected, setSelected] = useState(-1);
  const datasets = answer.data?.datasets ?? [];
  const total = answer.data?.totalCount ?? 0;
  const pages = Math.max(1, Math.ceil(total / PAGE));
  const turn = (to: number): void => setQuery({ page: to <= 1 ? null : String(to) });
  const move = (step: number): void => setSelected((before) => Math.max(0, Math.min(datasets.length - 1, before + step)));
  useShortcuts("Datasets", [
    { keys: "j", text: "Next dataset", action: () => move(1) },
    { keys: "k", text: "Dataset before", action: () => move(-1) },
    {
      keys: "Enter",
      text: "Open the dataset",
      action: () => {
        const dataset = datasets[selected];
        if (dataset) go(paths.dataset(dataset.namespace, dataset.name));
      },
    },
  ]);
  const path = namespace === null ? "/datasets" : `/namespaces/${encodeURIComponent(namespace)}/datasets`;
  return (
    <>
      <div class="head">
        <h1>Datasets</h1>
        <span class="faint count">{answer.data ? total.toLocaleString() : ""}</span>
        <span class="space" />
        <CurlButton path={target(path, parameters)} />
      </div>
      <div class="filters bar-of-filters">
        <TextFilter name="name" label="Beginning of the name" filter />
        <NamespaceFilter />
        {(namespace !== null || prefix !== null) && <a class="button quiet" href={href("/datasets")}>Clear</a>}
      </div>
      {answer.error && <Problem error={answer.error} retry={answer.reload} />}
      <div class="panel table" role="table" aria-label="Datasets" aria-rowcount={total}>
        <div class="line titles dataset-line" role="row">
          {["Dataset", "Tags", "Columns", "Quality", "Last event", ""].map((title) => (
            <span key={title} role="columnheader">{title || <span class="visually-hidden">Graph</span>}</span>
          ))}
        </div>
        {datasets.length > 0 ? (
          <div role="rowgroup" class="still">
            {datasets.map((dataset, index) => <Row key={`${dataset.namespace}\n${dataset.name}`} dataset={dataset} selected={index === selected} />)}
          </div>
        ) : answer.data ? (
          <NoDataset filtered={namespace !== null || prefix !== null || page > 1} />
        ) : (
          !answer.error && <Skeleton rows={20} />
        )}
      </div>
      {pages > 1 && (
        <nav class="pages" aria-label="Pages">
          <button type="button" class="button" disabled={page <= 1} onClick={() => turn(page - 1)}>Before</button>
          <span class="faint">{page.toLocaleString()} of {pages.toLocaleString()}</span>
          <button type="button" class="button" disabled={page >= pages} onClick={() => turn(page + 1)}>Next</button>
        </nav>
      )}
    </>
  );
}

function NoDataset({ filtered }: { filtered: boolean }): JSX.Element {
  if (filtered) {
    return <Empty title="No dataset is like that"><a class="button" href={href("/datasets")}>All datasets</a></Empty>;
  }
  return (
    <Empty title="No event has named a dataset yet">
      <p>Datasets come from the inputs and outputs of OpenLineage events, and from <code>PUT /api/v1/namespaces/…/datasets/…</code></p>
    </Empty>
  );
}

function Row({ dataset, selected }: { dataset: Dataset; selected: boolean }): JSX.Element {
  const { passed, failed } = qualityOf(dataset.facets);
  return (
    <div class="line row dataset-line" role="row" aria-selected={selected}>
      <span role="cell" class="cut">
        <a class="cover" href={href(paths.dataset(dataset.namespace, dataset.name))} title={`${dataset.namespace} / ${dataset.name}`}>
          <FullName namespace={dataset.namespace} name={dataset.name} />
        </a>
        {dataset.deleted && <span class="tag warn">dropped</span>}
      </span>
      <span role="cell" class="tags">{dataset.tags.map((tag) => <span key={tag} class="tag">{tag}</span>)}</span>
      <span role="cell">{dataset.fields.length > 0 ? dataset.fields.length : <span class="faint">–</span>}</span>
      <span role="cell">
        {passed + failed === 0 ? (
          <span class="faint">–</span>
        ) : failed === 0 ? (
          <span class="tag ok">✓ {passed}</span>
        ) : (
          <span class="tag bad" title={`${failed} of ${passed + failed} assertions failed`}>✗ {failed} of {passed + failed}</span>
        )}
      </span>
      <span role="cell"><Time at={dataset.updatedAt} /></span>
      <span role="cell"><a class="above" href={href(paths.lineage(nodes.dataset(dataset.namespace, dataset.name)))}>Graph</a></span>
    </div>
  );
}
