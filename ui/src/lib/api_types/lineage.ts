// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

import type { DatasetId } from "./jobs";
import type { AsOf, JobId, Run } from "./runs";

export interface Column {
  namespace: string;
  dataset: string;
  datasetVersion: string;
  field: string;
  fieldType: string;
  transformationDescription: string | null;
  transformationType: string | null;
  inputFields: InputColumn[];
}

export interface ColumnGraph {
  graph: ColumnNode[];
  truncated?: true;
  truncatedAt?: string[];
  asOf?: AsOf;
}

export interface ColumnNode {
  id: string;
  type: "DATASET_FIELD";
  data: Column;
  inEdges: Edge[];
  outEdges: Edge[];
}

export interface DatasetNode {
  type: "DATASET";
  id: string;
  data: GraphDataset;
  inEdges: Edge[];
  outEdges: Edge[];
}

export interface Edge {
  origin: string;
  destination: string;
}

export interface GraphDataset {
  id: DatasetId;
  type: "DB_TABLE" | "STREAM";
  name: string;
  physicalName: string;
  createdAt: string;
  updatedAt: string;
  namespace: string;
  sourceName: string;
  fields: GraphField[];
  tags: string[];
  lastModifiedAt: string | null;
  description: string | null;
  lastLifecycleState: string | null;
}

export interface GraphField {
  name: string;
  type: string | null;
  tags: string[];
  description: string | null;
}

export interface GraphJob {
  id: JobId;
  type: "BATCH" | "SERVICE" | "STREAM";
  name: string;
  simpleName: string;
  parentJobName: string | null;
  parentJobUuid: string | null;
  currentRunUuid: string | null;
  createdAt: string;
  updatedAt: string;
  namespace: string;
  inputs: DatasetId[];
  outputs: DatasetId[];
  location: string | null;
  description: string | null;
  latestRun: Run | null;
}

export interface InputColumn {
  namespace: string;
  dataset: string;
  datasetVersion: string;
  field: string;
  transformationDescription: string | null;
  transformationType: string | null;
  transformations?: Transformation[];
}

export interface InputOfRun {
  namespace: string;
  name: string;
  version: string;
  producedByRunId: string | null;
}

export interface JobNode {
  type: "JOB";
  id: string;
  data: GraphJob;
  inEdges: Edge[];
  outEdges: Edge[];
}

export interface JobOfRun {
  namespace: string;
  name: string;
  version: string | null;
}

export interface LineageGraph {
  graph: (JobNode | DatasetNode)[];
  truncated?: true;
  truncatedAt?: string[];
  asOf?: AsOf;
}

export interface LineageRun {
  job: JobOfRun | null;
  run: RunOfLineage;
  inputs: InputOfRun[];
}

export interface RunLineage {
  runs: LineageRun[];
  truncated?: true;
  truncatedAt?: string[];
}

export interface RunOfLineage {
  id: string;
  start: string | null;
  end: string | null;
  status: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING";
}

export interface Transformation {
  type: string | null;
  subtype: string | null;
  description: string | null;
  masking: boolean | null;
}
