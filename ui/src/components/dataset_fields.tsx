// The fields of a dataset: types, descriptions, tags, and what each is made of.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Dataset, MappedField } from "../lib/api_types";
import { lineage, nodes } from "../lib/lineage_api";
import { href, paths } from "../lib/router";
import { DatasetLink } from "./dataset_link";
import { Tags } from "./tags";

const SHOWN = 100;

interface Props {
  dataset: Dataset;
  past: boolean;
  changed: () => void;
  query: Record<string, string>; // the moment, for links
}

export function Fields({ dataset, past, changed, query }: Props): JSX.Element {
  const [text, setText] = useState("");
  const [most, setMost] = useState(SHOWN);
  const wanted = text.trim().toLowerCase();
  const made = new Map((dataset.columnLineage ?? []).map((each) => [each.name, each]));
  const fields = dataset.fields.filter((field) => `${field.name} ${field.type ?? ""} ${field.description ?? ""}`.toLowerCase().includes(wanted));
  const unlisted = (dataset.columnLineage ?? []).filter((each) => !dataset.fields.some((field) => field.name === each.name));
  return (
    <section class="panel" aria-label="Schema">
      <header>
        <h2>Schema</h2>
        <span class="faint">{dataset.fields.length === 1 ? "1 column" : `${dataset.fields.length} columns`}</span>
        <span class="space" />
        {made.size > 0 && (
          <a class="button quiet" href={href(paths.lineage(nodes.dataset(dataset.namespace, dataset.name), { columns: "true", ...query }))}>
            Graph of columns
          </a>
        )}
        {dataset.fields.length > 12 && (
          <input type="search" placeholder="Find a column" aria-label="Find a column" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        )}
      </header>
      {dataset.fields.length === 0 ? (
        <p class="body faint quiet-text">No event tells the columns of this dataset.</p>
      ) : (
        <div class="scroll">
          <table class="grid fields">
            <thead>
              <tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col">Description</th><th scope="col">Tags</th><th scope="col">Made of</th></tr>
            </thead>
            <tbody>
              {fields.slice(0, most).map((field) => (
                <tr key={field.name}>
                  <th scope="row" class="mono">{field.name}</th>
                  <td class="mono faint">{field.type ?? "–"}</td>
                  <td>{field.description}</td>
                  <td>
                    <Tags tags={field.tags} of={field.name} changed={changed}
                      change={past ? undefined : (tag, present) => lineage.tag(dataset, field.name, tag, present)} />
                  </td>
                  <td><MadeOf mapped={made.get(field.name)} query={query} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {fields.length > most && (
        <p class="body"><button type="button" class="button" onClick={() => setMost(most + 1_000)}>Show {fields.length - most} more</button></p>
      )}
      {unlisted.length > 0 && (
        <div class="body">
          <h3>Columns that only a mapping names</h3>
          <ul class="datasets">
            {unlisted.slice(0, SHOWN).map((each) => <li key={each.name}><span class="mono">{each.name}</span> <MadeOf mapped={each} query={query} /></li>)}
          </ul>
        </div>
      )}
    </section>
  );
}

function MadeOf({ mapped, query }: { mapped: MappedField | undefined; query: Record<string, string> }): JSX.Element | null {
  if (!mapped || mapped.inputFields.length === 0) return null;
  return (
    <ul class="made-of">
      {mapped.inputFields.map((each, index) => (
        <li key={index}>
          <DatasetLink dataset={{ namespace: each.namespace, name: each.dataset }} namespace={false} query={query} />
          <a class="mono" href={href(paths.lineage(nodes.field(each.namespace, each.dataset, each.field), { columns: "true" }))}>.{each.field}</a>
          {each.transformationType && <span class="tag" title={each.transformationDescription ?? ""}>{each.transformationType.toLowerCase()}</span>}
          {each.transformationDescription && <span class="faint small">{each.transformationDescription}</span>}
        </li>
      ))}
    </ul>
  );
}
