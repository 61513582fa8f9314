// Where no node is in the address: search for one.

import type { JSX } from "preact";
import { FullName } from "../components/basics";
import { BehindTag } from "../components/behind";
import { useSearch } from "../components/search";
import { lineage, nodes } from "../lib/lineage_api";
import { useAnswer } from "../lib/query";
import { href, paths, query, setQuery } from "../lib/router";

const OFFERED = 12;

export function Start(): JSX.Element {
  const text = query.value.get("q") ?? "";
  const answer = useSearch(text);
  const some = useAnswer("lineage/some", (signal) => lineage.datasets(null, { limit: OFFERED, stale: true }, signal));
  const entries =
    text.trim() === ""
      ? (some.data?.datasets ?? []).map(({ namespace, name }) => ({ id: nodes.dataset(namespace, name), kind: "dataset", namespace, name }))
      : answer.results.map(({ nodeId, type, namespace, name }) => ({ id: nodeId, kind: type.toLowerCase(), namespace, name }));
  return (
    <>
      <div class="head">
        <h1>Lineage</h1>
        <span class="faint">what is made of what, around a job or a dataset</span>
      </div>
      <div class="filters bar-of-filters">
        <input type="search" class="wide" data-filter="" autoFocus aria-label="Job or dataset" placeholder="Words of a job or a dataset" value={text}
          onInput={(event) => setQuery({ q: event.currentTarget.value }, true)} />
        {answer.error && <span class="faint">{answer.error}</span>}
        <BehindTag answer={answer.answer} />
        {text.trim() !== "" && !answer.loading && entries.length === 0 && <span class="faint" role="status">Nothing has these words.</span>}
      </div>
      {entries.length > 0 && (
        <section class="panel" aria-label="Nodes">
          <ul class="short-list">
            {entries.map((entry) => (
              <li key={entry.id}>
                <span class="tag">{entry.kind}</span>
                <span class="cut">
                  <a class="cover" href={href(paths.lineage(entry.id))}><FullName namespace={entry.namespace} name={entry.name} /></a>
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
