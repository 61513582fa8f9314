// What is different between the fields of two versions of a dataset.

import type { Field } from "./api_types";

export type Change = "same" | "added" | "removed" | "changed";

export interface FieldChange {
  name: string;
  change: Change;
  before: Field | undefined;
  after: Field | undefined;
}

/** Returns all fields of both versions in the order of the later one; what was removed stands where it was before. */
export function compareFields(before: readonly Field[], after: readonly Field[]): FieldChange[] {
  const old = new Map(before.map((field) => [field.name, field]));
  const present = new Set(after.map((field) => field.name));
  const result: FieldChange[] = after.map((field) => {
    const earlier = old.get(field.name);
    const same = earlier && earlier.type === field.type && (earlier.description ?? "") === (field.description ?? "");
    return { name: field.name, change: earlier ? (same ? "same" : "changed") : "added", before: earlier, after: field };
  });
  before.forEach((field, index) => {
    if (present.has(field.name)) return;
    const neighbour = before[index - 1]?.name;
    const place = neighbour === undefined ? 0 : result.findIndex((each) => each.name === neighbour) + 1;
    result.splice(place, 0, { name: field.name, change: "removed", before: field, after: undefined });
  });
  return result;
}

export function countChanges(changes: readonly FieldChange[]): Record<Change, number> {
  const counts: Record<Change, number> = { same: 0, added: 0, removed: 0, changed: 0 };
  for (const each of changes) counts[each.change]++;
  return counts;
}
