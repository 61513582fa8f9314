// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

export interface Namespace {
  name: string;
  createdAt: string;
  updatedAt: string;
  ownerName: string;
  description: string | null;
  isHidden: boolean;
  silentAfterSeconds?: number;
}

export interface Namespaces {
  namespaces: Namespace[];
}

export interface PutNamespace {
  ownerName: string;
  description?: string | null;
  silentAfterSeconds?: number | null;
}
