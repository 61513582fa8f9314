// Where an answer lacks the events that were recorded last: says so, and reads it again.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Answer } from "../lib/query";

const AGAIN_MS = 3_000;

/** Returns in words what an answer lacks: `behind` is a number of events, or "some". */
export function lacking(behind: string): string {
  const count = Number(behind);
  if (!Number.isFinite(count)) return "the latest events are missing";
  return count === 1 ? "the latest event is missing" : `the latest ${count.toLocaleString()} events are missing`;
}

export function BehindTag({ answer }: { answer: Answer<{ behind: string | null }> }): JSX.Element | null {
  const behind = answer.data?.behind ?? null;
  useEffect(() => {
    if (behind === null) return undefined;
    const timer = setTimeout(answer.reload, AGAIN_MS);
    return () => clearTimeout(timer);
  }, [answer.data]);
  if (behind === null) return null;
  return (
    <span class="tag warn" role="status" title="They are in the ledger. Datasets and lineage are made from it a little later; this is read again by itself.">
      {lacking(behind)}
    </span>
  );
}
