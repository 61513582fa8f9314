"""Stored registers say which versions can read them, and a program reads no others."""

from collections.abc import Iterator
from functools import reduce
from hashlib import sha256
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from histories import histories, merged, recorded
from hypothesis import given
from hypothesis import strategies as st
from programs import REPOSITORY

from service.catalog.failures import is_caused_by_page
from service.domain.job import JobRegisters, job_registers_of, merge_jobs
from service.domain.namespace import NamespaceRegisters, merge_namespaces, namespace_registers_of
from service.domain.run import NO_DATASETS, UNKNOWN_DATASETS, RunRegisters
from service.ledger.stored_registers import (
    FORMAT,
    READABLE_FROM,
    NewerRegisters,
    encode_registers,
    pack_registers,
    unpack_job,
    unpack_namespace,
    unpack_run,
)

UNPACK = {RunRegisters: unpack_run, JobRegisters: unpack_job, NamespaceRegisters: unpack_namespace}
SHAPES = {
    1: "b106b7ab66e97d2e",
    2: "0fe2959de4791cf2",
    3: "0fe2959de4791cf2",
    4: "34cec44f801ec57b",
    5: "34cec44f801ec57b",
}
"""By format, the digest of what is stored. Add a line for a new format; never change one of a released version."""


def registers_of(history):
    """Return the registers of a run, and those of its job and its namespace."""
    events = [fact.recorded(position) for position, fact in enumerate(history, 1)]
    return [
        merged(recorded(history)),
        reduce(merge_jobs, (job_registers_of(*event) for event in events)),
        reduce(merge_namespaces, (namespace_registers_of(event) for event, _ in events)),
    ]


anything = histories("api", "openlineage", "import", "monitor", least=1).map(registers_of)
extra = st.lists(st.none() | st.integers(0, 2**63) | st.text() | st.binary() | st.lists(st.text()), max_size=3)


@given(anything)
def test_any_registers_are_read_as_they_were_written_and_say_by_which_version(found):
    for registers in found:
        stored = pack_registers(registers)
        assert (stored[0], stored[1]) == (FORMAT, READABLE_FROM)
        assert UNPACK[type(registers)](stored) == registers


@given(anything)
def test_registers_from_before_there_were_versions_are_read(found):
    for registers in found:
        known = UNPACK[type(registers)](encode_registers(registers))
        if isinstance(registers, RunRegisters):  # whether events name datasets is in no such row
            assert known.datasets_position in (registers.datasets_position, UNKNOWN_DATASETS)
            known = known._replace(datasets_position=registers.datasets_position)
        assert known == registers


def test_of_a_row_of_an_earlier_format_it_is_not_known_whether_events_name_datasets():
    for header in (b"", b"\x03\x01"):
        assert unpack_run(header + encode_registers(RunRegisters()[:-1])).datasets_position == UNKNOWN_DATASETS
    assert unpack_run(pack_registers(RunRegisters())).datasets_position == NO_DATASETS


@given(anything, extra, st.integers(FORMAT + 1, 0x7F))
def test_fields_that_a_newer_version_added_are_left_out(found, added, written):
    for registers in found:
        stored = bytes((written, READABLE_FROM)) + encode_registers((*registers, *added))
        assert UNPACK[type(registers)](stored) == registers


@given(st.binary(), st.integers(FORMAT + 1, 0x7F), st.data())
def test_what_a_newer_version_wrote_for_newer_ones_only_is_not_read(content, written, data):
    readable_from = data.draw(st.integers(FORMAT + 1, written))
    for unpack in UNPACK.values():
        with pytest.raises(NewerRegisters, match=f"format {written} .* format {FORMAT}") as raised:
            unpack(bytes((written, readable_from)) + content)
        assert not is_caused_by_page(raised.value), "the event would be set aside"


@pytest.mark.parametrize("stored", [b"\xc0", b"\x91\xc0", encode_registers((1, 2, 3))], ids=repr)
def test_a_newer_row_that_breaks_its_promise_is_not_taken_for_damage(stored):
    for unpack in UNPACK.values():
        with pytest.raises(NewerRegisters):
            unpack(bytes((FORMAT + 1, READABLE_FROM)) + stored)


def test_whoever_changes_what_is_stored_raises_the_format():
    """A program of the earlier version must not project once this one has: it would drop what it does not know."""
    assert SHAPES[FORMAT] == sha256("\n".join(sorted(shapes())).encode()).hexdigest()[:16]
    assert max(SHAPES) == FORMAT
    assert 1 <= READABLE_FROM <= FORMAT < 0x80


def shapes() -> Iterator[str]:
    """Describe each named tuple that is stored: its fields in order, and their types."""
    pending: list[Any] = list(UNPACK)
    seen: set[Any] = set()
    while pending:
        found = pending.pop()
        if found in seen:
            continue
        seen.add(found)
        pending.extend(get_args(found))
        if isinstance(found, type) and hasattr(found, "_fields"):
            hints = get_type_hints(found)
            yield f"{found.__name__}: {', '.join(f'{name} {described(hints[name])}' for name in found._fields)}"
            pending.extend(hints.values())


def described(hint: Any) -> str:
    """Describe a type alike in every version of Python."""
    if not get_args(hint):
        return getattr(hint, "__name__", str(hint))
    kind = get_origin(hint)
    name = "union" if kind in (Union, UnionType) else kind.__name__
    return f"{name}[{', '.join(map(described, get_args(hint)))}]"


def test_each_migration_declares_which_programs_go_on():
    """Without a declaration, replicas of the earlier version are taken out of service the moment it is applied."""
    for file in (REPOSITORY / "alembic/versions").glob("[0-9]*.py"):
        if file.name >= "0015":
            assert '\noldest_program = "' in file.read_text(), file.name
