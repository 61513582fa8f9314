// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

import type { JobId, Run, VersionOfJob } from "./runs";

export interface DatasetId {
  namespace: string;
  name: string;
}

export interface Job {
  id: JobId;
  type: "BATCH" | "SERVICE" | "STREAM";
  name: string;
  simpleName: string;
  parentJobName: string | null;
  parentJobUuid: string | null;
  createdAt: string;
  updatedAt: string;
  namespace: string;
  inputs: DatasetId[];
  outputs: DatasetId[];
  location: string | null;
  description: string | null;
  latestRun: Run | null;
  latestRuns: Run[] | null;
  facets: Record<string, unknown>;
  currentVersion: string | null;
  labels: string[];
  tags: string[];
  silentAfterSeconds?: number;
  facetsOmitted?: number;
}

export interface JobInBrief {
  namespace: string;
  name: string;
  updatedAt: string;
  latestRuns: RunInBrief[];
}

export interface JobVersion {
  id: VersionOfJob;
  name: string;
  createdAt: string;
  version: string;
  namespace: string;
  location: string | null;
  inputs: DatasetId[];
  outputs: DatasetId[];
  latestRun: Run | null;
}

export interface JobVersions {
  versions: JobVersion[];
}

export interface Jobs {
  totalCount: number;
  jobs: Job[];
}

export interface JobsInBrief {
  totalCount: number;
  jobs: JobInBrief[];
}

export interface PutJob {
  type: "BATCH" | "SERVICE" | "STREAM";
  inputs: DatasetId[];
  outputs: DatasetId[];
  location?: string | null;
  description?: string | null;
  silentAfterSeconds?: number | null;
}

export interface RunInBrief {
  id: string;
  state: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING";
  startedAt: string | null;
  durationMs: number | null;
}
