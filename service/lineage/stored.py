"""Registers of lineage as they are stored: with the format of ledger/stored_lineage.py, where those of streams are."""

from __future__ import annotations

from service.domain.column_mapping import ColumnMapping
from service.domain.dataset_versions import VersionContent
from service.domain.job_entry import JobEntry
from service.domain.run_datasets import RunDatasets
from service.ledger.stored_lineage import LINEAGE_FORMAT, pack_lineage, unpack_dataset, unpack_source, unpack_tag
from service.ledger.stored_registers import unpacker

FORMAT, pack = LINEAGE_FORMAT, pack_lineage

unpack_version = unpacker(VersionContent, FORMAT)
unpack_run_datasets = unpacker(RunDatasets, FORMAT)
unpack_mapping = unpacker(ColumnMapping, FORMAT)
unpack_job_entry = unpacker(JobEntry, FORMAT)

__all__ = [
    "FORMAT",
    "pack",
    "unpack_dataset",
    "unpack_job_entry",
    "unpack_mapping",
    "unpack_run_datasets",
    "unpack_source",
    "unpack_tag",
    "unpack_version",
]
