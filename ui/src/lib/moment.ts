// The moment that is looked at: what was known then (knownAt), and what had happened by then (validAt).

import { query, setQuery } from "./router";

export type MomentClock = "validAt" | "knownAt";

export interface Moment {
  knownAt: string | null;
  validAt: string | null;
}

/** Returns the moment in the address of the page; both are null for the present. */
export function momentOf(): Moment {
  return { knownAt: query.value.get("knownAt"), validAt: query.value.get("validAt") };
}

export function isPast(moment: Moment): boolean {
  return moment.knownAt !== null || moment.validAt !== null;
}

export function setMoment(clock: MomentClock, at: string | null, replace = false): void {
  setQuery({ knownAt: null, validAt: null, [clock]: at }, replace);
}

/** Returns the parameters of the moment for the address of another page. */
export function carried({ knownAt, validAt }: Moment): Record<string, string> {
  return { ...(knownAt === null ? {} : { knownAt }), ...(validAt === null ? {} : { validAt }) };
}
