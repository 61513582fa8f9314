// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

import type { DatasetId } from "./jobs";
import type { AsOf, Run } from "./runs";

export interface Dataset {
  id: DatasetId;
  type: "DB_TABLE" | "STREAM";
  name: string;
  physicalName: string;
  createdAt: string;
  updatedAt: string;
  namespace: string;
  sourceName: string;
  fields: Field[];
  tags: string[];
  lastModifiedAt: null;
  lastLifecycleState: string | null;
  description: string | null;
  currentVersion: string;
  columnLineage: MappedField[] | null;
  facets: Record<string, unknown>;
  deleted: boolean;
  schemaLocation?: string | null;
  columnLineageTruncated?: boolean;
  facetsOmitted?: number;
  asOf?: AsOf;
}

export interface DatasetVersion {
  id: DatasetId;
  type: "DB_TABLE" | "STREAM";
  name: string;
  physicalName: string;
  createdAt: string;
  version: string;
  namespace: string;
  sourceName: string;
  fields: Field[];
  tags: string[];
  lifecycleState: string | null;
  description: string | null;
  currentSchemaVersion: string;
  createdByRun: Run | null;
  facets: Record<string, unknown>;
  schemaLocation?: string | null;
}

export interface DatasetVersions {
  versions: DatasetVersion[];
  totalCount: number;
  asOf?: AsOf;
}

export interface Datasets {
  totalCount: number;
  datasets: Dataset[];
}

export interface Field {
  name: string;
  type: string | null;
  tags: string[];
  description: string | null;
}

export interface InputField {
  namespace: string;
  dataset: string;
  field: string;
  transformationDescription: string | null;
  transformationType: string | null;
}

export interface MappedField {
  name: string;
  inputFields: InputField[];
  transformationDescription: string | null;
  transformationType: string | null;
}

export interface PutDataset {
  type: "DB_TABLE" | "STREAM";
  physicalName: string;
  sourceName: string;
  schemaLocation?: string | null;
  fields?: PutDatasetField[] | null;
  tags?: string[] | null;
  description?: string | null;
  runId?: string | null;
}

export interface PutDatasetField {
  name: string;
  type?: string | null;
  tags?: string[] | null;
  description?: string | null;
}

export interface PutSource {
  type: string;
  connectionUrl: string;
  description?: string | null;
}

export interface PutTag {
  description?: string | null;
}

export interface Source {
  type: string;
  name: string;
  createdAt: string;
  updatedAt: string;
  connectionUrl: string;
  description: string | null;
}

export interface Sources {
  sources: Source[];
}

export interface Tag {
  name: string;
  description: string | null;
}

export interface Tags {
  tags: Tag[];
}
