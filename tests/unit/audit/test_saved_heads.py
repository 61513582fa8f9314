"""A file that is given to `verify --against`: a head, or junk, which says nothing of the ledger."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.hash_chain import NO_HASH
from service.audit.saved_heads import SavedHead, UnreadableHead, head_path, read_saved_head

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("ab" * 32) | st.just("ndjson"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["since", "kinds", "run", "x"]), inner),
    max_leaves=5,
)
HEADS = st.fixed_dictionaries(
    {"position": st.integers() | VALUES, "hash": st.binary(max_size=40).map(bytes.hex) | st.just("ab" * 32) | VALUES},
    optional={"head": VALUES, "format": VALUES, "filters": VALUES, "events": VALUES, "sha256": VALUES},
)
GOOD = {"position": 5, "hash": "ab" * 32}


def read(document, *, beside=False):
    """Return what a document is read as; None: it is junk."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "file"
        (head_path(file) if beside else file).write_text(document)
        try:
            return read_saved_head(file)
        except UnreadableHead:
            return None


@given(HEADS, st.booleans())
def test_any_document_is_a_head_or_junk(document, beside):
    saved = read(json.dumps(document), beside=beside)
    if saved is not None:
        assert 0 <= saved.position < 2**63
        assert len(saved.hash) == len(NO_HASH)
        assert saved.events is None or 0 <= saved.events < 2**63


def test_a_head_is_read():
    assert read(json.dumps(GOOD))[1:] == SavedHead(Path(), 5, b"\xab" * 32)[1:]
    assert read(json.dumps({"ok": True, "head": GOOD})).position == 5


@pytest.mark.parametrize(
    "wrong",
    [
        *({"position": position} for position in (-1, True, 1.0, 1.9, "5", 2**63, float("inf"), float("nan"), None)),
        *({"hash": text} for text in ("", "ab", "ab" * 31, "ab" * 33, "xy" * 32, 5, None)),
    ],
    ids=str,
)
def test_a_damaged_head_is_not_taken_for_that_of_another_ledger(wrong):
    assert read(json.dumps(GOOD | wrong)) is None


def test_a_document_that_nests_too_deeply_is_junk():
    assert read("[" * 900_000) is None
