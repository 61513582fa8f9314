// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

export interface Archived {
  file: string;
  sha256: string;
  positions: number[];
}

export interface AsOf {
  log: number;
  position: number;
  recordedAt: string | null;
  archived?: Archived[];
}

export interface BatchSummary {
  received: number;
  successful: number;
  failed: number;
  retriable: number;
  non_retriable: number;
}

export interface CreateRun {
  id?: string | null;
  args?: Record<string, string | number | boolean> | null;
  nominalStartTime?: string | null;
  nominalEndTime?: string | null;
}

export interface Facets {
  runId: string;
  facets: Record<string, unknown>;
  facetsOmitted?: number;
}

export interface FailedEvent {
  index: number;
  reason: string;
  retriable: boolean;
  line?: number;
}

export interface FoundPage {
  runs: Run[];
  next: string | null;
  count?: number;
}

export interface FoundRuns {
  runs: Record<string, Run | null>;
  omitted?: string[];
}

export interface InvalidField {
  field: string;
  message: string;
}

export interface JobId {
  namespace: string;
  name: string;
}

export interface LookUpRuns {
  ids: string[];
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: number;
  message: string;
  errors?: InvalidField[];
  run?: Run;
  summary?: BatchSummary;
  failed_events?: FailedEvent[];
}

export interface ReportedEnd {
  state: "ABORTED" | "COMPLETED" | "FAILED";
  endedAt: string;
}

export interface Run {
  id: string;
  createdAt: string;
  updatedAt: string;
  nominalStartTime: string | null;
  nominalEndTime: string | null;
  state: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING";
  startedAt: string | null;
  endedAt: string | null;
  durationMs: number | null;
  args: Record<string, string>;
  jobVersion: VersionOfJob | null;
  inputDatasetVersions: VersionOfRun[];
  outputDatasetVersions: VersionOfRun[];
  facets: Record<string, unknown>;
  job: JobId | null;
  ends?: ReportedEnd[];
  restartedAt?: string;
  stateReason?: StateReason;
  jobs?: JobId[];
  facetsOmitted?: number;
  datasetsOmitted?: boolean;
  asOf?: AsOf;
}

export interface RunOfTree {
  id: string;
  parent: string | null;
  depth: number;
  namespace: string;
  job: string;
  state: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING";
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
}

export interface RunTree {
  root: string;
  runs: RunOfTree[];
  next: string | null;
  isWhole: boolean;
}

export interface Runs {
  runs: Run[];
  totalCount: number;
}

export interface StateReason {
  code: "silent";
  source: "monitor";
  position: number;
  lastEventPosition?: number;
  lastEventAt?: string;
  silentAfterSeconds?: number;
}

export interface VersionOfDataset {
  namespace: string;
  name: string;
  version: string;
}

export interface VersionOfJob {
  namespace: string;
  name: string;
  version: string;
}

export interface VersionOfRun {
  datasetVersionId: VersionOfDataset;
  facets: Record<string, unknown>;
}
