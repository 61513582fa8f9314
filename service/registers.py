"""Registers as the catalog's rows keep them: msgpack of the named tuples, each an array.

A change of shape needs no migration: the catalog is derived, `FORMAT` is checked and the catalog folded anew.
"""

from __future__ import annotations

import msgspec

from service.definitions import JobRegisters, NamespaceRegisters
from service.domain import RunRegisters

_encode = msgspec.msgpack.Encoder().encode
pack = _encode
unpack_run = msgspec.msgpack.Decoder(RunRegisters).decode
unpack_job = msgspec.msgpack.Decoder(JobRegisters).decode
unpack_namespace = msgspec.msgpack.Decoder(NamespaceRegisters).decode
