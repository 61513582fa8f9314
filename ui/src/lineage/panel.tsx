// What is known of the chosen node: its latest run or its columns, its neighbours, and where to go from it.

import type { JSX } from "preact";
import { DatasetLink } from "../components/dataset_link";
import { JobLink, Length, State, Time } from "../components/basics";
import { nodes } from "../lib/lineage_api";
import { carried, type Moment } from "../lib/moment";
import { href, paths } from "../lib/router";
import type { Box, Fold, Model, Row } from "./model";

const LISTED = 30;

interface Props {
  model: Model;
  chosen: string;
  centre: string;
  columns: boolean; // whether it is the graph of columns
  moment: Moment;
  folds: ReadonlySet<string>;
  onChoose: (id: string | null) => void;
  onFold: (box: Box, side: Fold) => void;
}

export function Panel({ model, chosen, centre, columns, moment, folds, onChoose, onFold }: Props): JSX.Element | null {
  const box = model.boxes[model.places.get(chosen) ?? -1];
  if (!box) return null;
  const row = box.rows.find((each) => each.id === chosen);
  const more = { ...carried(moment), ...(columns ? { columns: "true" } : {}) };
  return (
    <aside class="node-panel" aria-label="Chosen node">
      <header>
        <span class="tag">{row ? "column" : box.kind}</span>
        <span class="space" />
        <button type="button" class="button quiet" aria-label="Close" title="Esc" onClick={() => onChoose(null)}>×</button>
      </header>
      <h2>{row ? <span class="mono">{row.name}</span> : box.kind === "job" ? <JobLink job={box} /> : <DatasetLink dataset={box} query={carried(moment)} />}</h2>
      {row ? <OfColumn row={row} box={box} moment={moment} /> : <OfBox box={box} moment={moment} />}
      <Neighbours title={row ? "Made of" : box.kind === "job" ? "Reads" : "Written by"} ids={model.up.get(chosen) ?? []} model={model} onChoose={onChoose} />
      <Neighbours title={row ? "Part of" : box.kind === "job" ? "Writes" : "Read by"} ids={model.down.get(chosen) ?? []} model={model} onChoose={onChoose} />
      <div class="buttons">
        {chosen !== centre && <a class="button" href={href(paths.lineage(chosen, more))}>Graph around it</a>}
        {!columns && box.kind === "dataset" && <a class="button" href={href(paths.lineage(box.id, { ...more, columns: "true" }))}>Its columns</a>}
        {!columns && (["up", "down"] as const).map((side) => (
          <button key={side} type="button" class="button" aria-pressed={folds.has(`${side} ${box.id}`)} onClick={() => onFold(box, side)}>
            {folds.has(`${side} ${box.id}`) ? "Show" : "Hide"} what is {side === "up" ? "before" : "after"}
          </button>
        ))}
      </div>
    </aside>
  );
}

function OfBox({ box, moment }: { box: Box; moment: Moment }): JSX.Element {
  const { node, run } = box;
  return (
    <>
      {node?.data.description && <p class="prose small" tabIndex={0}>{node.data.description}</p>}
      {run && (
        <p class="latest-run">
          <State state={run.state} /> <a href={href(paths.run(run.id))}><Time at={run.startedAt ?? run.createdAt} /> · <Length run={run} /></a>
        </p>
      )}
      {!run && box.runId && (
        <p class="latest-run"><a href={`${href(paths.run(box.runId))}${moment.knownAt ? `?${new URLSearchParams({ knownAt: moment.knownAt })}` : ""}`}>The run that was its latest then</a></p>
      )}
      {node?.type === "DATASET" && node.data.tags.length > 0 && <p class="tags">{node.data.tags.map((tag) => <span key={tag} class="tag">{tag}</span>)}</p>}
      {node?.type === "DATASET" && node.data.fields.length > 0 && (
        <details>
          <summary>{node.data.fields.length} columns</summary>
          <dl class="schema mono">
            {node.data.fields.slice(0, 200).map((field) => (
              <>
                <dt><a href={href(paths.lineage(nodes.field(box.namespace, box.name, field.name), { columns: "true" }))}>{field.name}</a></dt>
                <dd class="faint">{field.type} {field.tags.join(" ")}</dd>
              </>
            ))}
          </dl>
        </details>
      )}
    </>
  );
}

function OfColumn({ row, box, moment }: { row: Row; box: Box; moment: Moment }): JSX.Element {
  const { fieldType, inputFields } = row.node.data;
  return (
    <>
      <p class="small">of <DatasetLink dataset={box} query={carried(moment)} />{fieldType && <> <span class="mono faint">{fieldType}</span></>}</p>
      {inputFields.length > 0 && (
        <ul class="transformations">
          {inputFields.map((each, index) => (
            <li key={index}>
              <span class="mono">{each.dataset}.{each.field}</span>
              {(each.transformations ?? [{ type: null, subtype: each.transformationType, description: each.transformationDescription, masking: null }]).map((how, place) => (
                <span key={place} class="small faint">
                  {[how.type, how.subtype].filter(Boolean).join(" ").toLowerCase()} {how.description} {how.masking && <b>masked</b>}
                </span>
              ))}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Neighbours({ title, ids, model, onChoose }: { title: string; ids: readonly string[]; model: Model; onChoose: (id: string) => void }): JSX.Element | null {
  if (ids.length === 0) return null;
  return (
    <section>
      <h3>{title} <span class="faint">{ids.length}</span></h3>
      <ul>
        {ids.slice(0, LISTED).map((id) => (
          <li key={id}><button type="button" class="link cut" onClick={() => onChoose(id)}>{nameOf(model, id)}</button></li>
        ))}
      </ul>
      {ids.length > LISTED && <p class="faint small">and {ids.length - LISTED} more</p>}
    </section>
  );
}

/** Returns the name of a box, or of a column with its dataset. */
export function nameOf(model: Model, id: string): string {
  const box = model.boxes[model.places.get(id) ?? -1];
  const row = box?.rows.find((each) => each.id === id);
  return box ? (row ? `${box.name}.${row.name}` : box.name) : id;
}
