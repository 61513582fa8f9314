"""Registers as the catalog stores them: two bytes of version, and the fields as a MessagePack array in their order.

While a service is upgraded, programs of two versions read the same rows. So a row says by which version it was written
and which versions can read it (docs/decisions/0035-catalog-formats.md). Rows from before that have no version bytes:
they begin with the first byte of an array, which no version has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import msgspec

from service.domain.job import JobRegisters
from service.domain.namespace import NamespaceRegisters
from service.domain.run import UNKNOWN_DATASETS, RunRegisters

R = TypeVar("R", bound=tuple[Any, ...])

FORMAT = 5
"""The version of what the projector writes: the registers, and the columns and tables that are made of them.

Every change of these needs the next number: the projectors of earlier versions stop once one of this version has
written. Rows of an earlier format must stay readable, or `unpack` must convert them.
"""

READABLE_FROM = 1
"""The lowest FORMAT of the programs that can read the registers that this one writes.

Such a program leaves out fields that it does not know at the end of RunRegisters, JobRegisters and NamespaceRegisters.
So a format that only adds such fields, with defaults, keeps this number, and any other one sets it to its own.
"""

HEADER = bytes((FORMAT, READABLE_FROM))
_COPIED = 4096
"""Bytes below which it is quicker to copy registers than to make a view of them."""

_SINCE_DATASETS_POSITION = 4
"""The format since which registers of runs have that field."""

_FIRST_OF_ARRAY = 0x80
"""Versions are smaller; MessagePack arrays begin with a byte that is not."""

encode_registers: Callable[[tuple[Any, ...]], bytes] = msgspec.msgpack.Encoder().encode
"""Packs registers without their version, for use within a process."""

decode_run = msgspec.msgpack.Decoder(RunRegisters).decode
"""Unpacks what `encode_registers` returns for a run."""


class NewerRegisters(Exception):
    """A newer program wrote these registers, and this one cannot read them; `format` is that program's FORMAT."""

    def __init__(self, written: int, current: int = FORMAT) -> None:
        """Take the format, and that of this program."""
        super().__init__(f"registers of format {written} cannot be read; this program writes format {current}")
        self.format = written


def pack_registers(registers: tuple[Any, ...], header: bytes = HEADER) -> bytes:
    """Return registers as they are stored; `header`: the two bytes of their version."""
    return header + encode_registers(registers)


def unpacker(registers: type[R], current: int = FORMAT) -> Callable[[bytes], R]:
    """Return the function that unpacks registers of a type; `current`: the format that this program writes."""
    count = len(get_type_hints(registers))
    decode: Callable[[bytes | memoryview], R] = msgspec.msgpack.Decoder(registers).decode

    def unpack(stored: bytes) -> R:
        """Return stored registers. Raises NewerRegisters, and msgspec's errors for bytes that are no registers."""
        written = stored[0] if len(stored) > 1 else 0
        if written == 0 or written >= _FIRST_OF_ARRAY:
            return decode(stored)
        fields = stored[2:] if len(stored) < _COPIED else memoryview(stored)[2:]
        if written <= current:
            return decode(fields)
        if stored[1] > current:
            raise NewerRegisters(written, current)
        try:
            known: R = msgspec.convert(msgspec.msgpack.decode(fields)[:count], registers)
        except (msgspec.MsgspecError, TypeError):
            raise NewerRegisters(written, current) from None
        return known

    return unpack


_unpack_run = unpacker(RunRegisters)


def unpack_run(stored: bytes) -> RunRegisters:
    """Return stored registers of a run. Formats before 4 do not say whether an event names datasets."""
    run = _unpack_run(stored)
    if _SINCE_DATASETS_POSITION <= stored[0] < _FIRST_OF_ARRAY:
        return run
    return run._replace(datasets_position=max(run.datasets_position, UNKNOWN_DATASETS))


unpack_job = unpacker(JobRegisters)
unpack_namespace = unpacker(NamespaceRegisters)
