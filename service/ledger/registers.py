"""Registers as the catalog's rows keep them: msgpack of the named tuples, each an array.

The catalog is derived: a migration that changes a shape empties it and sets the cursor to 0, and it is folded anew.
"""

from __future__ import annotations

import msgspec

from service.domain.job import JobRegisters, NamespaceRegisters
from service.domain.run import RunRegisters

_encode = msgspec.msgpack.Encoder().encode
pack = _encode
unpack_run = msgspec.msgpack.Decoder(RunRegisters).decode
unpack_job = msgspec.msgpack.Decoder(JobRegisters).decode
unpack_namespace = msgspec.msgpack.Decoder(NamespaceRegisters).decode
