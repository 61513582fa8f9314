// Layered layout of a graph: edges lead from left to right. No DOM: it runs in a worker.
//
// Cycles are cut, nodes get columns (longest paths), long edges get a place in each column that they cross, the order in
// columns is that of the means of their neighbours (with the fewest crossings of all sweeps), and heights are as near to
// those of the neighbours as the distances between nodes allow (isotonic regression). Time grows with nodes and edges.

export interface LayoutInput {
  heights: number[]; // by node
  edges: number[]; // origin, destination, origin, destination …
  width: number; // of all nodes
  thickness?: number[]; // by edge: the height of what is drawn along it; 0 where there is none
}

export interface Layout {
  x: number[]; // left, by node
  y: number[]; // top, by node
  column: number[]; // by node
  routes: (number[] | null)[]; // by edge: x, y, x, y … between its ends; null: nothing between them
  width: number;
  height: number;
}

const COLUMN_GAP = 90;
const GAP = 16;
const EDGE_GAP = 5;
const ORDER_SWEEPS = 8;
const PLACE_SWEEPS = 10;
const MOST_BENDS = 20_000; // beyond it long edges are drawn without a place of their own

/** The graph with a place for each column that an edge crosses: nodes first, then these places. */
interface Layered {
  rank: number[];
  heights: number[];
  layers: number[][];
  before: number[][]; // neighbours in the column to the left
  after: number[][];
  bends: (number[] | null)[]; // by edge
  count: number; // of the nodes
}

export function layOut({ heights, edges, width, thickness = [] }: LayoutInput): Layout {
  const count = heights.length;
  const reversed = backEdges(count, edges);
  const layered = split(heights, edges, thickness, reversed, ranks(count, edges, reversed));
  order(layered);
  const middle = place(layered);
  const x = layered.rank.map((rank) => rank * (width + COLUMN_GAP));
  const top = Math.min(0, ...chunked(middle.map((each, node) => each - (layered.heights[node] ?? 0) / 2), Math.min));
  const y = middle.map((each, node) => each - (layered.heights[node] ?? 0) / 2 - top);
  const routes = layered.bends.map((bends, edge) => {
    if (!bends) return null;
    const points = bends.map((bend) => [(x[bend] ?? 0) + width / 2, (y[bend] ?? 0) + (layered.heights[bend] ?? 0) / 2]);
    return (reversed[edge] ? points.reverse() : points).flat();
  });
  const bottom = Math.max(0, ...chunked(y.map((each, node) => each + (layered.heights[node] ?? 0)), Math.max));
  return {
    x: x.slice(0, count),
    y: y.slice(0, count),
    column: layered.rank.slice(0, count),
    routes,
    width: layered.layers.length * (width + COLUMN_GAP) - COLUMN_GAP,
    height: bottom,
  };
}

/** Reduces a list that may be too long to be spread. */
function chunked(values: number[], pick: (...values: number[]) => number): number[] {
  const found: number[] = [];
  for (let start = 0; start < values.length; start += 10_000) found.push(pick(...values.slice(start, start + 10_000)));
  return found;
}

function neighbours(count: number, edges: readonly number[], reversed: readonly boolean[]): { out: number[][]; into: number[][] } {
  const out: number[][] = Array.from({ length: count }, () => []);
  const into: number[][] = Array.from({ length: count }, () => []);
  for (let edge = 0; edge < edges.length / 2; edge++) {
    const [from, to] = ends(edges, edge, reversed);
    if (from === to) continue;
    out[from]?.push(to);
    into[to]?.push(from);
  }
  return { out, into };
}

function ends(edges: readonly number[], edge: number, reversed: readonly boolean[]): [number, number] {
  const from = edges[edge * 2] ?? 0;
  const to = edges[edge * 2 + 1] ?? 0;
  return reversed[edge] ? [to, from] : [from, to];
}

/** Returns for each edge whether it closes a circle; a search in depth, without recursion. */
function backEdges(count: number, edges: readonly number[]): boolean[] {
  const reversed: boolean[] = new Array<boolean>(edges.length / 2).fill(false);
  const out: number[][] = Array.from({ length: count }, () => []);
  const entered: boolean[] = new Array<boolean>(count).fill(false);
  for (let edge = 0; edge < edges.length / 2; edge++) {
    out[edges[edge * 2] ?? 0]?.push(edge);
    if (edges[edge * 2] !== edges[edge * 2 + 1]) entered[edges[edge * 2 + 1] ?? 0] = true;
  }
  const state = new Uint8Array(count); // 1: under way, 2: done
  const next = new Int32Array(count);
  const starts = [...Array(count).keys()].sort((one, other) => Number(entered[one]) - Number(entered[other]));
  for (const start of starts) {
    if (state[start] !== 0) continue;
    const path = [start];
    state[start] = 1;
    while (path.length > 0) {
      const node = path[path.length - 1] ?? 0;
      const edge = out[node]?.[next[node]!++];
      if (edge === undefined) {
        state[node] = 2;
        path.pop();
        continue;
      }
      const to = edges[edge * 2 + 1] ?? 0;
      if (state[to] === 1) reversed[edge] = true;
      else if (state[to] === 0) {
        state[to] = 1;
        path.push(to);
      }
    }
  }
  return reversed;
}

/** Returns the column of each node: behind all that it is made of, and what has more that is made of it as near to that as it may. */
function ranks(count: number, edges: readonly number[], reversed: readonly boolean[]): number[] {
  const { out, into } = neighbours(count, edges, reversed);
  const rank: number[] = new Array<number>(count).fill(0);
  const waiting = into.map((each) => each.length);
  const sorted = [...Array(count).keys()].filter((node) => waiting[node] === 0);
  for (let index = 0; index < sorted.length; index++) {
    const node = sorted[index] ?? 0;
    for (const to of out[node] ?? []) {
      rank[to] = Math.max(rank[to] ?? 0, (rank[node] ?? 0) + 1);
      waiting[to]!--;
      if (waiting[to] === 0) sorted.push(to);
    }
  }
  for (const node of sorted.toReversed()) {
    const later = out[node] ?? [];
    if (later.length > (into[node] ?? []).length) rank[node] = later.reduce((least, to) => Math.min(least, rank[to] ?? 0), Infinity) - 1;
  }
  const used = [...new Set(rank)].sort((one, other) => one - other);
  const column = new Map(used.map((each, index) => [each, index]));
  return rank.map((each) => column.get(each) ?? 0);
}

function split(heights: readonly number[], edges: readonly number[], thickness: readonly number[], reversed: readonly boolean[], ranksOfNodes: number[]): Layered {
  const rank = [...ranksOfNodes];
  const all = [...heights];
  const before: number[][] = heights.map(() => []);
  const after: number[][] = heights.map(() => []);
  const bends: (number[] | null)[] = [];
  const join = (left: number, right: number): void => {
    after[left]?.push(right);
    before[right]?.push(left);
  };
  for (let edge = 0; edge < edges.length / 2; edge++) {
    const [from, to] = ends(edges, edge, reversed);
    const span = (rank[to] ?? 0) - (rank[from] ?? 0);
    if (from === to || span < 1) {
      bends.push(null);
    } else if (span === 1 || all.length - heights.length + span > MOST_BENDS) {
      bends.push(null);
      if (span === 1) join(from, to);
    } else {
      const own: number[] = [];
      let left = from;
      for (let column = (rank[from] ?? 0) + 1; column < (rank[to] ?? 0); column++) {
        const bend = all.length;
        all.push(thickness[edge] ?? 0);
        rank.push(column);
        before.push([]);
        after.push([]);
        own.push(bend);
        join(left, bend);
        left = bend;
      }
      join(left, to);
      bends.push(own);
    }
  }
  const layers: number[][] = [];
  rank.forEach((column, node) => (layers[column] ??= []).push(node));
  for (let column = 0; column < layers.length; column++) layers[column] ??= [];
  return { rank, heights: all, layers, before, after, bends, count: heights.length };
}

/** Puts the nodes of each column in an order with few crossings. */
function order(layered: Layered): void {
  const { layers, before, after } = layered;
  const position = new Float64Array(layered.rank.length);
  firstOrder(layered, position);
  let best = layers.map((layer) => [...layer]);
  let fewest = crossings(layered, position);
  for (let sweep = 0; sweep < ORDER_SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const columns = down ? layers : layers.toReversed();
    for (const layer of columns) sortByMean(layer, down ? before : after, position);
    const found = crossings(layered, position);
    if (found < fewest) {
      fewest = found;
      best = layers.map((layer) => [...layer]);
    }
  }
  best.forEach((layer, column) => (layers[column] = layer));
}

/** The order in which a search in depth meets the nodes: what belongs together is together. */
function firstOrder({ layers, before, after, rank }: Layered, position: Float64Array): void {
  const seen = new Uint8Array(rank.length);
  const ordered: number[][] = layers.map(() => []);
  for (const start of layers.flat()) {
    const path = [start];
    while (path.length > 0) {
      const node = path.pop() ?? 0;
      if (seen[node] !== 0) continue;
      seen[node] = 1;
      ordered[rank[node] ?? 0]?.push(node);
      for (const each of before[node] ?? []) if (seen[each] === 0) path.push(each);
      for (const each of (after[node] ?? []).toReversed()) if (seen[each] === 0) path.push(each);
    }
  }
  ordered.forEach((layer, column) => {
    layers[column] = layer;
    layer.forEach((node, index) => (position[node] = index));
  });
}

function sortByMean(layer: number[], neighboursOf: readonly number[][], position: Float64Array): void {
  const wanted = new Map<number, number>();
  layer.forEach((node, index) => {
    const near = neighboursOf[node] ?? [];
    let sum = 0;
    for (const each of near) sum += position[each] ?? 0;
    wanted.set(node, near.length === 0 ? index : sum / near.length);
  });
  layer.sort((one, other) => (wanted.get(one) ?? 0) - (wanted.get(other) ?? 0) || (position[one] ?? 0) - (position[other] ?? 0));
  layer.forEach((node, index) => (position[node] = index));
}

/** Counts how often edges between neighbouring columns cross. */
function crossings({ layers, after }: Layered, position: Float64Array): number {
  let total = 0;
  layers.forEach((layer, column) => {
    const size = layers[column + 1]?.length ?? 0;
    if (size === 0) return;
    const tree = new Int32Array(size + 1);
    let added = 0;
    for (const node of layer) {
      const targets = (after[node] ?? []).map((each) => position[each] ?? 0).sort((one, other) => one - other);
      for (const target of targets) {
        let notAfter = 0;
        for (let index = target + 1; index > 0; index -= index & -index) notAfter += tree[index] ?? 0;
        total += added - notAfter;
      }
      for (const target of targets) {
        added++;
        for (let index = target + 1; index <= size; index += index & -index) tree[index]!++;
      }
    }
  });
  return total;
}

/** Returns the height of the middle of each node. */
function place({ layers, before, after, heights, rank, count }: Layered): number[] {
  const middle = new Float64Array(rank.length);
  const real = heights.map((_, node) => node < count);
  const apart = (upper: number, lower: number): number =>
    ((heights[upper] ?? 0) + (heights[lower] ?? 0)) / 2 + (real[upper] && real[lower] ? GAP : real[upper] || real[lower] ? GAP / 2 : EDGE_GAP);
  for (const layer of layers) {
    layer.forEach((node, index) => {
      const upper = layer[index - 1];
      middle[node] = upper === undefined ? 0 : (middle[upper] ?? 0) + apart(upper, node);
    });
    const half = (middle[layer.at(-1) ?? 0] ?? 0) / 2;
    for (const node of layer) middle[node]! -= half;
  }
  for (let sweep = 0; sweep < PLACE_SWEEPS; sweep++) {
    const both = sweep >= PLACE_SWEEPS - 4;
    const columns = sweep % 2 === 0 ? layers : layers.toReversed();
    for (const layer of columns) {
      const wanted = layer.map((node) => {
        const near = both ? [...(before[node] ?? []), ...(after[node] ?? [])] : ((sweep % 2 === 0 ? before : after)[node] ?? []);
        return near.length === 0 ? (middle[node] ?? 0) : near.reduce((sum, each) => sum + (middle[each] ?? 0), 0) / near.length;
      });
      const weights = layer.map((node) => (real[node] ? 1 : 2));
      settle(layer, wanted, weights, apart).forEach((height, index) => (middle[layer[index] ?? 0] = height));
    }
  }
  return Array.from(middle);
}

/** Returns heights in the given order that are nearest to those that are wanted, each at least `apart` from the one before. */
function settle(layer: readonly number[], wanted: readonly number[], weights: readonly number[], apart: (upper: number, lower: number) => number): number[] {
  const shift: number[] = [];
  const sums: number[] = []; // blocks of nodes that touch each other: their weighted sum, weight and size
  const total: number[] = [];
  const sizes: number[] = [];
  layer.forEach((node, index) => {
    const upper = layer[index - 1];
    shift.push(upper === undefined ? 0 : (shift[index - 1] ?? 0) + apart(upper, node));
    const weight = weights[index] ?? 1;
    sums.push(((wanted[index] ?? 0) - (shift[index] ?? 0)) * weight);
    total.push(weight);
    sizes.push(1);
    while (sums.length > 1 && sums[sums.length - 2]! / total[total.length - 2]! > sums[sums.length - 1]! / total[total.length - 1]!) {
      const [sum, weightOfLast, size] = [sums.pop() ?? 0, total.pop() ?? 0, sizes.pop() ?? 0];
      sums[sums.length - 1]! += sum;
      total[total.length - 1]! += weightOfLast;
      sizes[sizes.length - 1]! += size;
    }
  });
  const result: number[] = [];
  sums.forEach((sum, block) => {
    for (let each = 0; each < (sizes[block] ?? 0); each++) result.push(sum / (total[block] ?? 1) + (shift[result.length] ?? 0));
  });
  return result;
}
