"""Imports pyarrow, which reads and writes Parquet files. Only the extra `runfold[parquet]` installs it."""

from importlib import import_module
from types import ModuleType

from service.errors import ExtraMissing


def import_pyarrow() -> ModuleType:
    """Return pyarrow with its module `parquet`. Raises ExtraMissing where it is not installed."""
    try:
        import_module("pyarrow.parquet")
        return import_module("pyarrow")
    except ImportError:
        raise ExtraMissing("Parquet files need pyarrow", "parquet") from None
