"""Registers of datasets, sources and tags as they are stored, with versions of their own: see stored_registers.py."""

from __future__ import annotations

from typing import Any

from service.domain.dataset import DatasetRegisters
from service.domain.sources_and_tags import SourceRegisters, TagRegisters
from service.ledger.stored_registers import pack_registers, unpacker

LINEAGE_FORMAT = 2
"""The version of what the projection of datasets writes; every change needs the next number (FORMAT)."""

LINEAGE_READABLE_FROM = 1
"""The lowest LINEAGE_FORMAT of the programs that can read what this one writes (READABLE_FROM)."""

LINEAGE_HEADER = bytes((LINEAGE_FORMAT, LINEAGE_READABLE_FROM))


def pack_lineage(registers: tuple[Any, ...]) -> bytes:
    """Return registers as they are stored."""
    return pack_registers(registers, LINEAGE_HEADER)


unpack_dataset = unpacker(DatasetRegisters, LINEAGE_FORMAT)
unpack_source = unpacker(SourceRegisters, LINEAGE_FORMAT)
unpack_tag = unpacker(TagRegisters, LINEAGE_FORMAT)
