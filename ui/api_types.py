"""Prints ui/src/lib/api_types.ts, the types of the API's answers, from the OpenAPI document: `make ui-types`."""

from __future__ import annotations

import json
import sys
from typing import Any

from service.http.openapi.document import document
from service.http.routes import ROUTES

_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_HEAD = "// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.\n"
_FRAME = ("object", "array")


def name_of(schema: str) -> str:
    """Return the name of a schema as that of a type: two schemas of one name have those of their modules before it."""
    *modules, name = schema.split(".")
    return "".join(part.capitalize() for part in modules[-1].split("_")) + name if modules else name


def type_of(schema: dict[str, Any]) -> str:
    """Return a schema as a type of TypeScript."""
    if reference := schema.get("$ref"):
        return name_of(reference.rpartition("/")[2])
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(type_of(each) for each in alternatives))
    if values := schema.get("enum"):
        return " | ".join(json.dumps(value) for value in values)
    kinds = schema.get("type", "unknown")
    names = kinds if isinstance(kinds, list) else [kinds]
    return " | ".join(_simple_or_frame(name, schema) for name in names)


def _simple_or_frame(name: str, schema: dict[str, Any]) -> str:
    if name == "array":
        item = type_of(schema.get("items", {}))
        return f"({item})[]" if " " in item else f"{item}[]"
    if name != "object":
        return _SIMPLE.get(name, "unknown")
    if "properties" in schema:
        return f"{{ {' '.join(_fields(schema))} }}"
    values = schema.get("additionalProperties")
    return f"Record<string, {type_of(values) if isinstance(values, dict) else 'unknown'}>"


def _fields(schema: dict[str, Any]) -> list[str]:
    required = set(schema.get("required", ()))
    return [f"{name}{'' if name in required else '?'}: {type_of(of)};" for name, of in schema["properties"].items()]


def module() -> str:
    """Return the whole module."""
    parts = [_HEAD]
    for name, schema in sorted(document(ROUTES)["components"]["schemas"].items()):
        if "properties" in schema:
            fields = "".join(f"\n  {field}" for field in _fields(schema))
            parts.append(f"export interface {name_of(name)} {{{fields}\n}}\n")
        else:
            parts.append(f"export type {name_of(name)} = {type_of(schema)};\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(module())
