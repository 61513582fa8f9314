from hypothesis import given
from hypothesis import strategies as st

from service.domain.search import MAX_WORDS_LENGTH, fold, search_words


@given(st.text(), st.text(), st.text())
def test_a_part_of_a_text_is_a_part_of_the_folded_text(before, part, after):
    assert fold(part) in fold(before + part + after)


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


def test_upper_and_lower_case_are_alike_in_every_alphabet():
    assert fold("TØPIC") == fold("tøpic")
    assert fold("ΟΔΟΣ") == fold("οδος")


def test_the_words_have_all_that_is_searched():
    words = search_words("Orders", "S3://Lake", "All Orders", aliases=["db.o"], tags=["PII", "PII"], columns=["Id"])
    assert words == "orders\ns3://lake\ndb.o\npii\nall orders\nid"
    assert search_words("a", "b") == "a\nb"


def test_the_words_of_many_columns_are_cut_off_behind_all_else():
    words = search_words("name", "namespace", "about", tags=["tag"], columns=[f"column {n}" for n in range(10_000)])
    assert words.startswith("name\nnamespace\ntag\nabout\ncolumn 0\n")
    assert len(words) == MAX_WORDS_LENGTH
