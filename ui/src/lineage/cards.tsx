// Boxes as elements: real links with the state of the latest run, and the columns of a dataset.

import type { JSX } from "preact";
import { Shape, STATES, type RunState } from "../components/basics";
import type { Layout } from "./layout";
import { type Box, type Fold, type Model, ROW, shortName, WIDTH } from "./model";

interface Props {
  model: Model;
  layout: Layout;
  shown: readonly number[];
  lit: ReadonlySet<string> | null;
  found: ReadonlySet<string>;
  chosen: string | null;
  centre: string;
  states: (box: Box) => string | null;
  hiddenBeside: (box: Box, side: Fold) => number;
  addressOf: (id: string) => string;
  onChoose: (id: string) => void;
  onUnfold: (box: Box, side: Fold) => void;
}

function isState(state: string | null): state is RunState {
  return STATES.some((each) => each === state);
}

function DatasetSign(): JSX.Element {
  return (
    <svg class="dataset-sign" viewBox="0 0 14 14" width="12" height="12" aria-hidden="true">
      <path d="M1.5 2.5h11v9h-11zM1.5 5.5h11M6 5.5v6" fill="none" stroke="currentColor" stroke-width="1.4" />
    </svg>
  );
}

export function Cards(props: Props): JSX.Element {
  return (
    <>
      {props.shown.map((index) => {
        const box = props.model.boxes[index];
        return box && <Card key={box.id} {...props} box={box} index={index} />;
      })}
    </>
  );
}

function Card({ box, index, layout, lit, found, chosen, centre, states, hiddenBeside, addressOf, onChoose, onUnfold }: Props & { box: Box; index: number }): JSX.Element {
  const state = states(box);
  const isLit = lit === null || lit.has(box.id) || box.rows.some((row) => lit.has(row.id));
  const classes = ["node", box.kind, isState(state) ? state : "", isLit || found.has(box.id) ? "" : "dim", found.has(box.id) ? "found" : "", box.id === centre ? "centre" : ""];
  const label = `${box.kind} ${box.namespace} / ${box.name}${isState(state) ? `, ${state.toLowerCase()}` : ""}`;
  const columns = box.node?.type === "DATASET" ? box.node.data.fields.length : 0;
  return (
    <div class={classes.filter(Boolean).join(" ")} data-chosen={box.id === chosen}
      style={{ left: `${layout.x[index] ?? 0}px`, top: `${layout.y[index] ?? 0}px`, width: `${WIDTH}px`, height: `${box.height}px` }}>
      <a href={addressOf(box.id)} class="title" data-id={box.id} aria-label={label} aria-current={box.id === chosen ? "true" : undefined} title={`${box.namespace} / ${box.name}`} draggable={false}
        onClick={(event) => choose(event, box.id, onChoose)}>
        {isState(state) ? <Shape state={state} /> : box.kind === "dataset" ? <DatasetSign /> : <i class="no-state" />}
        <span class="cut">
          {shortName(box.name)}
          <small class="cut">{box.namespace}{columns > 0 ? ` · ${columns} columns` : ""}</small>
        </span>
      </a>
      {box.rows.map((row) => (
        <a key={row.id} href={addressOf(row.id)} class={`column cut mono${lit !== null && !lit.has(row.id) ? " dim" : ""}${found.has(row.id) ? " found" : ""}`} data-id={row.id}
          aria-current={row.id === chosen ? "true" : undefined} style={{ height: `${ROW}px` }} title={row.node.data.fieldType ? `${row.name}: ${row.node.data.fieldType}` : row.name} draggable={false}
          onClick={(event) => choose(event, row.id, onChoose)}>
          {row.name} <span class="faint">{row.node.data.fieldType}</span>
        </a>
      ))}
      {(["up", "down"] as const).map((side) => {
        const count = hiddenBeside(box, side);
        return count > 0 && (
          <button key={side} type="button" class={`unfold ${side}`} onClick={() => onUnfold(box, side)}
            aria-label={`Show ${count} ${side === "up" ? "before" : "after"} ${box.name}`} title={`Show what is ${side === "up" ? "before" : "after"} it`}>
            +{count}
          </button>
        );
      })}
    </div>
  );
}

function choose(event: MouseEvent, id: string, onChoose: (id: string) => void): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
  event.preventDefault();
  onChoose(id);
}
