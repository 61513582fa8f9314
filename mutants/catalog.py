"""Faults in the read side: the projection, the projector, freshness."""

from mutants.mutant import Mutant

_PROJECTION, _PAGES = "service/catalog/projection.py", "service/catalog/page_writer.py"
_LEDGER_PROJECTION = "service/catalog/ledger_projection.py"
_FRESHNESS, _PROJECTOR = "service/catalog/freshness.py", "service/catalog/projector.py"
_SUMMARIES = "service/catalog/summarizer.py"
_OF_CATALOG, _OF_SUMMARIES = "integration/catalog/test_catalog.py::", "integration/catalog/test_summaries.py::"

CATALOG = (
    Mutant(
        "the first event of a page is not projected",
        _PROJECTION,
        "for event, content in run_events:",
        "for event, content in list(run_events)[1:]:",
        (f"{_OF_CATALOG}test_whatever_the_size_of_its_pages_the_catalog_is_the_same",),
    ),
    Mutant(
        "a run that changes its state is counted twice",
        _PROJECTION,
        "counts[key] = counts.get(key, 0) - 1",
        "counts[key] = counts.get(key, 0)",
        (f"{_OF_CATALOG}test_counts_are_what_counting_would_say",),
    ),
    Mutant(
        "a further job of a run does not count it",
        _PROJECTION,
        "counters += [(job_id(*name), state) for name in run.other_jobs]",
        "pass",
        (f"{_OF_CATALOG}test_counts_are_what_counting_would_say",),
    ),
    Mutant(
        "a job that becomes the run's own lists it twice",
        "service/catalog/page_writer.py",
        "gone = {row[:2] for row in old - new} - {row[:2] for row in changed}",
        "gone = set()",
        ("integration/http/test_ends.py::test_a_job_that_becomes_the_runs_own_has_it_once",),
    ),
    Mutant(
        "a run with contradicting ends is not marked",
        _PROJECTION,
        "bool(run.overruled),",
        "False,",
        ("integration/http/test_ends.py::test_a_failed_write_of_spark_is_found_by_its_contradicting_ends",),
    ),
    Mutant(
        "events are written into summaries although an erasure was projected meanwhile",
        _SUMMARIES,
        'if locked["position"] != cursor:',
        'if locked["position"] < 0:',
        (f"{_OF_SUMMARIES}test_what_is_erased_while_it_is_summarized_is_in_no_summary",),
    ),
    Mutant(
        "a summary has a wrong latest time",
        "service/domain/run_summary.py",
        "max(a.latest, b.latest),",
        "a.latest,",
        (f"{_OF_SUMMARIES}test_any_history_gives_the_same_answers_by_its_summaries",),
    ),
    Mutant(
        "mentions of a job keep the time of the last one",
        _PROJECTION,
        "return self.last._replace(transitioned_at=self.earliest)",
        "return self.last",
        (f"{_OF_CATALOG}test_whatever_the_size_of_its_pages_the_catalog_is_the_same",),
    ),
    Mutant(
        "two projectors write the same page",
        _LEDGER_PROJECTION,
        'if cursor["position"] != page.after or cursor["head"] < page.upto:',
        'if cursor["head"] < page.upto:',
        (f"{_OF_CATALOG}test_two_processes_that_project_at_once_project_each_event_once",),
    ),
    Mutant(
        "a page of events that were lost since it was read is written",
        _LEDGER_PROJECTION,
        'if cursor["position"] != page.after or cursor["head"] < page.upto:',
        'if cursor["position"] != page.after:',
        ("integration/catalog/test_catalog.py::test_a_page_of_lost_events_is_not_written",),
    ),
    Mutant(
        "a page replaces what earlier pages said of a job",
        _PAGES,
        "merge(before[key], change) if key in before else change",
        "change",
        (f"{_OF_CATALOG}test_whatever_the_size_of_its_pages_the_catalog_is_the_same",),
    ),
    Mutant(
        "an erased payload stays in summaries",
        _PAGES,
        "await SummaryWriter(self._connection, self._statements.summaries, run_id).remove_erased(positions)",
        "pass",
        (f"{_OF_SUMMARIES}test_an_erased_payload_is_in_no_summary",),
    ),
    Mutant(
        "a page may read any number of bytes of registers",
        _PAGES,
        "_REGISTER_BYTES if events > 1 else _ANY_SIZE",
        "_ANY_SIZE",
        ("integration/catalog/test_large_registers.py::test_a_page_reads_no_more_registers_than_it_may",),
    ),
    Mutant(
        "a list waits for nothing",
        _FRESHNESS,
        "        position = await self._head()\n        left",
        "        position = 0\n        left",
        (f"{_OF_CATALOG}test_what_was_recorded_is_in_every_list_after_that",),
    ),
    Mutant(
        "a list waits for the head that an earlier list read",
        _FRESHNESS,
        "            self._next_head = None\n            known",
        "            known",
        (f"{_OF_CATALOG}test_what_was_recorded_is_in_every_list_after_that",),
    ),
    Mutant(
        "a list leaves out the last event",
        _FRESHNESS,
        "while self._projected < position:",
        "while self._projected < position - 1:",
        ("unit/catalog/test_throttle.py::test_a_request_waits_for_the_very_position",),
    ),
    Mutant(
        "a bulk writer is never held back",
        _FRESHNESS,
        "while self._is_behind():",
        "while False:",
        ("unit/catalog/test_throttle.py::test_too_much_waits_until_the_oldest_is_projected",),
    ),
    Mutant(
        "the lag is timed although the projector makes progress",
        _FRESHNESS,
        "if projected >= head or projected != self._projected:",
        "if projected >= head:",
        ("unit/catalog/test_failing_pages.py::test_a_lag_is_timed_only_while_nothing_is_projected",),
    ),
    Mutant(
        "an outage of the database sets events aside",
        "service/catalog/failures.py",
        "return sqlstate[:2] in _CAUSED_BY_VALUES or sqlstate in _CAUSED_BY_ROWS",
        "return True",
        ("unit/catalog/test_failing_pages.py::test_only_what_the_page_causes_sets_an_event_aside",),
    ),
    Mutant(
        "an event that cannot be projected stops the catalog",
        _PROJECTOR,
        "if not is_caused_by_page(error):",
        "if error:",
        ("integration/catalog/test_set_aside.py::test_lists_go_on_and_the_log_the_metric_and_readyz_show_it",),
    ),
    Mutant(
        "a projector that is woken forgets the position that a reader waits for",
        _PROJECTOR,
        "self._prioritized = position\n            self._wake.set()",
        "self._wake.set()",
        ("integration/catalog/test_waiting_readers.py::test_a_reader_is_not_kept_waiting_while_events_accumulate",),
    ),
)
