// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

export interface Access {
  key: string | null;
  scope: "admin" | "read" | "write";
  namespaces: string[] | null;
}

export interface Alive {
  status: "alive";
}

export interface Readiness {
  status: "ready";
  checks: Record<string, string>;
  warnings?: string[];
}
