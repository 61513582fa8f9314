// The graph as a list, for readers of lists and of screens: the same nodes, in the order of their columns.

import type { JSX } from "preact";
import { State, STATES } from "../components/basics";
import { Windowed } from "../components/windowed";
import { href, paths } from "../lib/router";
import type { Layout } from "./layout";
import type { Box, Model } from "./model";

const ROW_PX = 32;

interface Props {
  model: Model;
  layout: Layout;
  found: ReadonlySet<string>;
  searching: boolean;
  around: (id: string) => string; // the address of the graph around a node
}

interface Entry {
  id: string;
  box: Box;
  name: string;
  step: number;
}

export function NodeList({ model, layout, found, searching, around }: Props): JSX.Element {
  const entries = model.boxes
    .map((box, index) => ({ box, step: layout.column[index] ?? 0, y: layout.y[index] ?? 0 }))
    .sort((one, other) => one.step - other.step || one.y - other.y)
    .flatMap(({ box, step }): Entry[] =>
      box.rows.length === 0
        ? [{ id: box.id, box, name: box.name, step }]
        : box.rows.map((row) => ({ id: row.id, box, name: `${box.name}.${row.name}`, step })))
    .filter((entry) => !searching || found.has(entry.id));
  return (
    <div class="table graph-list" role="table" aria-label="Nodes of the graph" aria-rowcount={entries.length}>
      <div class="line titles node-line" role="row">
        {["Node", "State", "Step", "Before", "After", "Graph"].map((title) => <span key={title} role="columnheader">{title}</span>)}
      </div>
      <Windowed items={entries} rowHeight={ROW_PX} height="calc(100vh - 17rem)" label="Nodes" table of={[model, around]} row={({ id, box, name, step }, index, top) => {
        const state = STATES.find((each) => each === box.run?.state);
        return (
          <div key={id} class="line row node-line" role="row" aria-rowindex={index + 1} style={{ top: `${top}px` }}>
            <span role="cell" class="cut">
              <a class="cover" href={href(box.kind === "job" ? paths.job(box.namespace, box.name) : paths.dataset(box.namespace, box.name))} title={`${box.namespace} / ${name}`}>
                <span class="tag">{box.rows.length > 0 ? "column" : box.kind}</span> <span class="faint">{box.namespace} / </span>{name}
              </a>
            </span>
            <span role="cell">{state && <State state={state} />}</span>
            <span role="cell">{step + 1}</span>
            <span role="cell">{model.up.get(id)?.length ?? 0}</span>
            <span role="cell">{model.down.get(id)?.length ?? 0}</span>
            <span role="cell"><a class="above" href={around(id)}>Around</a></span>
          </div>
        );
      }} />
    </div>
  );
}
