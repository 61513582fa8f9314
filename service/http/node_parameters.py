"""The parameters of requests for graphs: the id of a node, a depth, bounds."""

from __future__ import annotations

from collections.abc import Sequence

from service.domain.node_ids import FORMS, NodeKind, NodeText, field_splits, parse_node_id, splits
from service.errors import Malformed, NotFound
from service.http.parameters import Parameter, integer, is_recordable
from service.not_found import DatasetNotFound, FieldNotFound, JobNotFound

DEFAULT_DEPTH = 20
MAX_DEPTH = 2**31 - 1
"""What a depth beyond this is taken for: the number of nodes bounds an answer."""


MAX_NODES, DEFAULT_NODES = 10_000, 5_000


def node_limit() -> Parameter[int]:
    """Declare the number of nodes of an answer."""
    return integer("limit", "The maximum number of nodes. The nearest come first.", 1, MAX_NODES, DEFAULT_NODES)


def node_id(description: str, *kinds: NodeKind) -> Parameter[NodeText]:
    """Declare the id of a node of some kinds."""
    form = f"the id of a node looks like {' or '.join(FORMS[kind] for kind in kinds)}"

    def decode(texts: Sequence[str]) -> NodeText:
        try:
            node = parse_node_id(texts[0], kinds)
        except ValueError as error:
            raise Malformed(f"parameter nodeId: {error}") from None
        if not is_recordable(texts[0]):
            raise Malformed("parameter nodeId holds a character that no name has")
        return node

    return Parameter(
        name="nodeId",
        description=description,
        schema={"type": "string", "format": "node-id", "pattern": f"^(?:{'|'.join(map(_pattern, kinds))})$"},
        decode=decode,
        default=NodeText(kinds[0], ""),
        required=True,
        hint=form,
    )


def _pattern(kind: NodeKind) -> str:
    names = ":".join(["[^\\u0000]+"] * (FORMS[kind].count(":")))
    return f"{kind}:{names}"


def depth(description: str) -> Parameter[int]:
    """Declare a depth: any whole number; below 0 it is 0, as in Marquez."""

    def decode(texts: Sequence[str]) -> int:
        text = texts[0] or str(DEFAULT_DEPTH)
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal()):
            raise Malformed("parameter depth must be a whole number")
        if text.startswith("-"):
            return 0
        return min(MAX_DEPTH, int(digits[-10:]) if len(digits.lstrip("0")) <= len(str(MAX_DEPTH)) else MAX_DEPTH)

    schema = {"type": "integer", "default": DEFAULT_DEPTH}
    return Parameter(name="depth", description=description, schema=schema, decode=decode, default=DEFAULT_DEPTH)


def node_not_found(node: NodeText) -> NotFound:
    """Return the error for a node that does not exist, by the likeliest reading of its id."""
    if node.kind is NodeKind.FIELD:
        _, dataset, field = next(field_splits(node.names))
        return FieldNotFound(field, dataset)
    name = next(splits(node.names)).name
    return JobNotFound(name) if node.kind is NodeKind.JOB else DatasetNotFound(name)
