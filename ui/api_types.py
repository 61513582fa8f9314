"""Writes ui/src/lib/api_types/, the types of the API's answers and bodies, from the OpenAPI document: `make ui-types`.

There is a module for each tag of the document, with the types that its operations use and that those of no earlier tag
do. So a module needs earlier ones only. `index.ts` has them all.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from service.http.openapi.document import document
from service.http.routes import ROUTES

DIRECTORY = Path(__file__).parent / "src/lib/api_types"
INDEX = "index.ts"
_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_HEAD = "// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.\n"
_REFERENCE = re.compile(r"#/components/schemas/([^\"]+)")


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


def modules() -> dict[str, str]:
    """Return the content of each module by its file name."""
    described = document(ROUTES)
    schemas = described["components"]["schemas"]
    homes = _homes(described)
    texts = {f"{home}.ts": _module(home, homes, schemas) for home in dict.fromkeys(homes.values())}
    index = "".join(f'export * from "./{name.removesuffix(".ts")}";\n' for name in sorted(texts))
    return {**texts, INDEX: f"{_HEAD}\n{index}"}


def _homes(described: dict[str, Any]) -> dict[str, str]:
    """Return the module of each schema."""
    operations = [each for path in described["paths"].values() for each in path.values()]
    schemas, homes = described["components"]["schemas"], {}
    for tag in (each["name"] for each in described["tags"]):
        waiting = _references([each for each in operations if tag in each["tags"]])
        while waiting:
            name = waiting.pop()
            if name not in homes:
                homes[name] = tag.split()[0].lower()
                waiting |= _references(schemas[name])
    return homes


def _references(part: object) -> set[str]:
    return set(_REFERENCE.findall(json.dumps(part)))


def _module(home: str, homes: dict[str, str], schemas: dict[str, Any]) -> str:
    own = sorted(name for name, of in homes.items() if of == home)
    foreign: dict[str, set[str]] = {}
    for name in set().union(*(_references(schemas[each]) for each in own)) - set(own):
        foreign.setdefault(homes[name], set()).add(name_of(name))
    imports = (f'import type {{ {", ".join(sorted(foreign[of]))} }} from "./{of}";\n' for of in sorted(foreign))
    parts = [_HEAD, *(["".join(imports)] if foreign else [])]
    for name in own:
        schema = schemas[name]
        if "properties" in schema:
            fields = "".join(f"\n  {field}" for field in _fields(schema))
            parts.append(f"export interface {name_of(name)} {{{fields}\n}}\n")
        else:
            parts.append(f"export type {name_of(name)} = {type_of(schema)};\n")
    return "\n".join(parts)


def write() -> None:
    """Write the modules, and remove those that are none of them."""
    DIRECTORY.mkdir(exist_ok=True)
    texts = modules()
    for path in DIRECTORY.glob("*.ts"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (DIRECTORY / name).write_text(text)


if __name__ == "__main__":
    write()
