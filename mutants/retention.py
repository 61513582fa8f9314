"""Faults in what lets payloads leave the database, and in the partitions that they are in."""

from mutants.mutant import Mutant

_SCHEMA = "alembic/sql/0012_growing_partitions.up.sql"
_OF_ARCHIVES = "integration/maintenance/test_archive"
_OF_RANGES = f"{_OF_ARCHIVES}_ranges.py::"
_OF_PARTITIONS = "integration/database/test_partitions.py::"
_LEAVES = f"{_OF_RANGES}test_a_payload_leaves_only_once_the_ledger_records_its_archive"

RETENTION = (
    Mutant(
        "partitions of payloads do not grow",
        _SCHEMA,
        "length := greatest(size, (ending - archived) / 4 / size * size);",
        "length := size;",
        (f"{_OF_PARTITIONS}test_a_billion_positions_have_some_thirty_partitions",),
    ),
    Mutant(
        "partitions of payloads grow with what is archived, too",
        _SCHEMA,
        "(ending - archived) / 4",
        "ending / 4",
        (f"{_OF_PARTITIONS}test_partitions_are_sized_by_what_is_not_archived",),
    ),
    Mutant(
        "a payload behind an archive may be deleted",
        _SCHEMA,
        "where a.last >= p_position)",
        "where a.last >= 0)",
        (_LEAVES,),
    ),
    Mutant(
        "the payload of an API key may be deleted with those around it",
        _SCHEMA,
        "and (select e.subject not in ('key', 'ledger') from runfold.events e",
        "and (select true from runfold.events e",
        (f"{_OF_RANGES}test_the_records_of_archives_alone_are_never_archived",),
    ),
    Mutant(
        "a row of archives needs no record",
        _SCHEMA,
        "    if not found then\n",
        "    if not found and new.first < 0 then\n",
        (_LEAVES,),
    ),
    Mutant(
        "a partition is replaced though a payload in it is not archived",
        _SCHEMA,
        "       or runfold.has_unarchived_payload(span.first, span.last) then",
        "       then",
        (f"{_OF_RANGES}test_a_partition_is_replaced_only_when_all_of_it_is_archived",),
    ),
    Mutant(
        "what was archived after this moment is archived, too",
        "service/database/sql/archivable.sql",
        ":before::timestamptz - interval '1 microsecond'",
        ":before::timestamptz",
        (f"{_OF_RANGES}test_each_run_archives_what_has_become_old_since",),
    ),
    Mutant(
        "a payload that is archived and still in the database is erased",
        "service/maintenance/erase.py",
        "if position not in erased and position in archived:",
        'if event["body"] is None and position not in erased and position in archived:',
        (f"{_OF_ARCHIVES}.py::test_an_archive_whose_payloads_are_read_too_long_says_so_and_removes_them_later",),
    ),
    Mutant(
        "payloads that were archived before an archive was killed stay in the database",
        "service/maintenance/archived_removal.py",
        "        if found or len(self._emptied) == _PARTITIONS_AT_ONCE:",
        "        if len(self._emptied) == _PARTITIONS_AT_ONCE:",
        (f"{_OF_ARCHIVES}_killed.py::test_an_archive_that_is_killed_loses_nothing_and_can_be_run_again",),
    ),
)
