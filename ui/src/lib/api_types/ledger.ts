// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

export interface Count {
  count: number;
}

export interface EventPage {
  events: LedgerEvent[];
  next: string | null;
}

export interface History {
  runId: string;
  events: HistoryEvent[];
  next: string | null;
}

export interface HistoryEvent {
  log: number;
  position: number;
  subject: "dataset" | "job" | "key" | "ledger" | "namespace" | "run" | "source" | "tag";
  id: string;
  kind: string;
  state: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING" | null;
  transitionedAt: string;
  recordedAt: string;
  namespace: string | null;
  job: string | null;
  parentRun: string | null;
  source: string;
  actor: string | null;
  fact: string;
  requestDigest: string | null;
  payloadDigest: string | null;
  hash: string;
  payload: unknown;
  payloadArchived?: PayloadArchived;
  payloadOmitted?: true;
  verdict: Verdict;
}

export interface LedgerEvent {
  log: number;
  position: number;
  subject: "dataset" | "job" | "key" | "ledger" | "namespace" | "run" | "source" | "tag";
  id: string;
  kind: string;
  state: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING" | null;
  transitionedAt: string;
  recordedAt: string;
  namespace: string | null;
  job: string | null;
  parentRun: string | null;
  source: string;
  actor: string | null;
  fact: string;
  requestDigest: string | null;
  payloadDigest: string | null;
  hash: string;
  payload: unknown;
  payloadArchived?: PayloadArchived;
  payloadOmitted?: true;
}

export interface LedgerHead {
  log: number;
  position: number;
  hash: string;
  recordedAt: string | null;
}

export interface PayloadArchived {
  file: string;
  sha256: string;
}

export interface Verdict {
  effect: string;
  late: boolean;
  changed: string[];
  supersededBy: number | null;
  reason: string | null;
  attempt: number;
  incomplete: boolean;
}

export interface Verification {
  ok: boolean;
  from: number;
  to: number;
  complete: boolean;
  head: VerifiedHead;
  brokenAt?: number;
  reason?: string;
}

export interface VerifiedHead {
  log: number;
  position: number;
  hash: string;
}
