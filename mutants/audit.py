"""Faults in what auditors rely on: verification, evidence, pages and streams of events, past times."""

from mutants.mutant import Mutant

_VERIFICATION, _READER = "service/audit/verification.py", "service/audit/ledger_reader.py"
_STREAM, _TAIL = "service/http/handlers/event_stream.py", "service/audit/tail.py"
_BATCH, _BRIEF = "service/audit/tail_batch.py", "service/audit/brief_batch.py"
_OF_VERIFICATION = "integration/audit/test_verification.py::"
_OF_STREAMS, _OF_READER = "integration/http/test_event_stream.py::", "integration/audit/test_ledger_reader.py::"
_OF_UNTRUSTED = "integration/audit/test_untrusted_database.py::"
_TAMPERING = f"{_OF_VERIFICATION}test_tampering_is_found_at_the_first_position_it_touches"

AUDIT = (
    Mutant(
        "an altered row verifies",
        _VERIFICATION,
        "if computed != row.hash:",
        "if computed is None:",
        (_TAMPERING,),
    ),
    Mutant(
        "an altered payload verifies",
        _VERIFICATION,
        "if digest != row.payload_digest and (digest is not None or position not in page.explained):",
        "if digest is None and row.payload_digest is not None and position not in page.explained:",
        (_TAMPERING,),
    ),
    Mutant(
        "a removed payload verifies",
        _VERIFICATION,
        "if digest != row.payload_digest and (digest is not None or position not in page.explained):",
        "if digest != row.payload_digest and digest is not None:",
        (_TAMPERING,),
    ),
    Mutant(
        "a removed row verifies",
        _VERIFICATION,
        "if position != expected:",
        "if position < expected:",
        (_TAMPERING,),
    ),
    Mutant(
        "a row after the head verifies",
        _VERIFICATION,
        "if ends.last_event > ends.head:",
        "if ends.last_event < 0:",
        (_TAMPERING,),
    ),
    Mutant(
        "a view in place of a table verifies",
        _VERIFICATION,
        "    if disguised:\n",
        "    if not disguised and disguised:\n",
        (f"{_OF_UNTRUSTED}test_what_may_show_each_reader_other_rows_does_not_hold",),
    ),
    Mutant(
        "a record of an archive counts although its row names another payload",
        "service/audit/evidence.py",
        'if row["body"] is None or sha256(row["body"].encode()).digest() != row["payload_digest"]:',
        'if row["body"] is None:',
        (f"{_OF_UNTRUSTED}test_a_record_of_an_archive_that_is_not_the_recorded_one_excuses_nothing",),
    ),
    Mutant(
        "the hash does not cover the actor",
        "service/audit/hash_chain.py",
        "            texts[row.actor],\n",
        "            texts[None],\n",
        (f"{_OF_VERIFICATION}test_a_ledger_as_the_service_wrote_it_holds",),
    ),
    Mutant(
        "a rewritten ledger agrees with a saved head",
        "service/audit/saved_heads.py",
        "if recorded != saved.hash:",
        "if recorded is None:",
        ("integration/audit/test_export.py::test_a_saved_head_proves_that_nothing_was_rewritten",),
    ),
    Mutant(
        "a payload that was altered in an export agrees with the ledger",
        "service/audit/export_comparison.py",
        "if body is not None and found.body == as_written(body, one_line=found.one_line):",
        "if body is not None and found.body is not None:",
        ("integration/audit/test_export_comparison.py::test_a_forged_export_is_found_whatever_its_filter_and_format",),
    ),
    Mutant(
        "a forged catalog is the one that the ledger makes",
        "service/maintenance/catalog_check.py",
        '    if name not in {"registers", "content"} or unpack is None:\n',
        '    if name in {"registers", "content"}:\n        return True\n    if unpack is None:\n',
        ("integration/maintenance/test_catalog_check.py::test_each_forged_table_is_found_and_named",),
    ),
    Mutant(
        "a listener more than a page behind loses an event per page",
        _STREAM,
        "for line in page.lines]), page.rest.after",
        "for line in page.lines]), page.rest.after + 1",
        (f"{_OF_STREAMS}test_a_listener_many_pages_behind_gets_each_event_once",),
    ),
    Mutant(
        "a listener hears events of every filter",
        _BATCH,
        "if event.position > after and filters.match(event.fields)]",
        "if event.position > after]",
        (f"{_OF_STREAMS}test_of_what_comes_only_what_matches_is_heard",),
    ),
    Mutant(
        "a listener in the middle of a batch hears its beginning again",
        _BATCH,
        "if after > self.after:",
        "if after > self.upto:",
        (f"{_OF_STREAMS}test_a_listener_in_the_middle_of_a_batch_hears_the_rest_of_it",),
    ),
    Mutant(
        "batches that were dropped are skipped",
        _TAIL,
        "behind=False)\n        return NextBatch(None, behind=True)",
        "behind=False)\n        return NextBatch(self._kept[0], behind=False)",
        (f"{_OF_STREAMS}test_who_begins_before_what_is_kept_reads_the_ledger_first",),
    ),
    Mutant(
        "a payload is sent from memory after it was erased",
        _TAIL,
        "if self._position < head:",
        "if False:",
        (f"{_OF_STREAMS}test_a_payload_that_was_erased_is_in_no_stream_that_begins_later",),
    ),
    Mutant(
        "a message in brief counts again what a listener has heard of",
        _BRIEF,
        "key = filters, max(after, self.after)",
        "key = filters, self.after",
        ("integration/http/test_brief_stream.py::test_who_has_heard_of_a_part_is_told_the_rest",),
    ),
    Mutant(
        "knownAt does not wait for an append under way",
        _READER,
        'if row["open"]:',
        'if not row["position"]:',
        (f"{_OF_READER}test_known_at_a_time_that_has_passed_waits_for_an_append_that_began_before_it",),
    ),
    Mutant(
        "what was recorded at the time of knownAt was not known then",
        "alembic/sql/0006_newest_first.up.sql",
        "        if at <= p_time then\n            low := middle;",
        "        if at < p_time then\n            low := middle;",
        ("integration/audit/test_postings.py::test_times_become_positions",),
    ),
    Mutant(
        "a page that is full is taken for the last one",
        "service/audit/event_lines.py",
        "if self.lines and (len(self.lines) < self.found or self.found == limit):",
        "if self.lines and len(self.lines) < self.found:",
        (f"{_OF_READER}test_pages_make_up_the_whole_for_every_filter",),
    ),
    Mutant(
        "a filter leaves out the last position",
        "service/audit/postings.py",
        "            if after < position <= upto:\n",
        "            if after < position < upto:\n",
        ("integration/audit/test_postings.py::test_the_first_and_the_last_event_of_a_range_are_in_it",),
    ),
    Mutant(
        "of two neighbours in a bitmap one is skipped",
        "service/audit/bitmaps.py",
        'offset = digits.find("1", offset + 1)',
        'offset = digits.find("1", offset + 2)',
        ("unit/audit/test_bitmaps.py::test_what_is_packed_comes_out_in_order",),
    ),
    Mutant(
        "what was known is what a later erasure left",
        "service/audit/run_history.py",
        "was_erased = bool(stored.upto) and await self._was_erased(run, stored.upto)",
        "was_erased = False",
        ("integration/catalog/test_summaries.py::test_any_history_gives_the_same_answers_by_its_summaries",),
    ),
    Mutant(
        "a saved hash that is cut is compared with the ledger's",
        "service/audit/saved_heads.py",
        "if len(content) != len(NO_HASH):",
        "if False:",
        ("unit/audit/test_saved_heads.py::test_a_damaged_head_is_not_taken_for_that_of_another_ledger",),
    ),
)
