// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

export * from "./datasets";
export * from "./jobs";
export * from "./ledger";
export * from "./lineage";
export * from "./namespaces";
export * from "./openlineage";
export * from "./runs";
export * from "./search";
export * from "./service";
