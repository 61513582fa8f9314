// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

export interface CountInterval {
  startInterval: string;
  endInterval: string;
  count: number;
}

export interface EventTypeInterval {
  startInterval: string;
  endInterval: string;
  start: number;
  complete: number;
  fail: number;
  abort: number;
}

export interface SearchResult {
  type: "DATASET" | "JOB";
  name: string;
  updatedAt: string;
  namespace: string;
  nodeId: string;
}

export interface SearchResults {
  totalCount: number;
  results: SearchResult[];
}
