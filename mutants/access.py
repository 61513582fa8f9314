"""Faults in who may do what: API keys, Idempotency-Keys, answers to commands, cursors."""

from mutants.mutant import Mutant

_GUARD = "service/http/authentication.py"
_OF_KEYS, _OF_IDEMPOTENCY = "integration/http/test_authentication.py::", "integration/http/test_idempotency.py::"
_TWO_CALLERS = f"{_OF_IDEMPOTENCY}test_an_idempotency_key_is_its_callers_own"

ACCESS = (
    Mutant(
        "a revoked key is let in",
        _GUARD,
        "if key.revoked_at is not None:",
        "if key.position < 0:",
        (f"{_OF_KEYS}test_a_revoked_key_stops_in_every_process_and_the_service_does_not_open",),
    ),
    Mutant(
        "any key may write",
        _GUARD,
        "if SCOPES[key.scope] < route.scope:",
        "if SCOPES[key.scope] > route.scope:",
        (f"{_OF_KEYS}test_a_scope_allows_what_it_says",),
    ),
    Mutant(
        "keys that were read a minute ago let in",
        _GUARD,
        "STALE_S = 5.0",
        "STALE_S = 60.0",
        (f"{_OF_KEYS}test_no_request_is_admitted_five_seconds_after_the_keys_were_read",),
    ),
    Mutant(
        "keys never become stale",
        _GUARD,
        "    def _expire(self) -> None:\n        self._stale = True",
        "    def _expire(self) -> None:\n        self._stale = False",
        (f"{_OF_KEYS}test_keys_older_than_five_seconds_let_nobody_in",),
    ),
    Mutant(
        "streams and batches of lines go on after their key was revoked",
        _GUARD,
        "request.transport.abort()",
        "pass",
        (
            f"{_OF_KEYS}test_a_stream_ends_when_its_key_is_revoked_and_no_other_stream",
            f"{_OF_KEYS}test_a_stream_of_lines_ends_when_its_key_is_revoked",
        ),
    ),
    Mutant(
        "a batch of lines goes on to be recorded after its key was revoked",
        "service/http/handlers/lineage.py",
        "check_again(request)  # the caller may have sent its lines for hours",
        "pass",
        (f"{_OF_KEYS}test_each_batch_of_a_stream_checks_the_key",),
    ),
    Mutant(
        "a key is not checked again when the body is complete",
        "service/http/request_body.py",
        "        if not arrived:\n            check_again(request)",
        "        if not arrived:\n            pass",
        (f"{_OF_KEYS}test_a_key_is_checked_again_when_the_body_is_complete",),
    ),
    Mutant(
        "a page of another origin may write while there are no keys",
        "service/http/cross_site.py",
        "if request.method not in _SAFE:",
        "if request.method in _SAFE:",
        ("integration/http/test_cross_site.py::test_a_page_of_another_origin_cannot_write",),
    ),
    Mutant(
        "bodies under way are not bounded together",
        "service/http/body_budget.py",
        "if more > 0 and budget.used + more > budget.limit:",
        "if more > budget.limit:",
        (
            "integration/http/test_bodies_under_way.py::test_all_bodies_together_are_bounded_and_the_bound_is_free_again",
        ),
    ),
    Mutant(
        "the first key does not close the service",
        _GUARD,
        'self.on = self._mode == "on" or self._position > 0',
        'self.on = self._mode == "on"',
        (f"{_OF_KEYS}test_the_first_key_turns_auto_on_in_a_running_service",),
    ),
    Mutant(
        "keys of lost events stay in force",
        _GUARD,
        "self._read_all = True",
        "self._read_all = False",
        ("integration/http/test_lost_tail.py::test_a_lost_key_and_one_that_is_revoked_after_the_loss_are_refused",),
    ),
    Mutant(
        "two keys of one name are created at once",
        "service/auth/keys.py",
        "[key.position if key else 0]",
        "[None]",
        ("integration/auth/test_key_races.py::test_two_that_create_one_name_at_once_make_one_key",),
    ),
    Mutant(
        "an Idempotency-Key is shared by all callers: transitions",
        "service/ledger/drafts.py",
        'return short_digest("key", self.actor or "", self.key)',
        'return short_digest("key", self.key)',
        (_TWO_CALLERS,),
    ),
    Mutant(
        "an Idempotency-Key is shared by all callers: creations",
        "service/http/definitions.py",
        'uuid_of_key(caller.actor or "", *names, caller.key)',
        'uuid_of_key("", *names, caller.key)',
        (_TWO_CALLERS,),
    ),
    Mutant(
        "an event with an Idempotency-Key has no actor",
        "service/http/request_values.py",
        "return Caller(context.actor, parameters_of(request)[IDEMPOTENCY_KEY], context.binding)",
        "return Caller(None, parameters_of(request)[IDEMPOTENCY_KEY], context.binding)",
        (_TWO_CALLERS,),
    ),
    Mutant(
        "the content of a repeated Idempotency-Key is not compared",
        "service/ledger/drafts.py",
        "return short_digest(*content) if self.key is not None else None",
        "return None",
        (f"{_OF_IDEMPOTENCY}test_a_creation_whose_key_came_with_other_content_is_refused",),
    ),
    Mutant(
        "a conflict is answered 200",
        "service/http/handlers/transitions.py",
        "if decision is Decision.CONFLICT:",
        "if decision is None:",
        (f"{_OF_IDEMPOTENCY}test_a_start_without_a_time_that_is_repeated_with_its_key_after_the_end_is_200",),
    ),
    Mutant(
        "a command that recorded an event is said to have recorded none",
        "service/http/recorded.py",
        "recorded = result.decision is _APPEND or",
        "recorded = result.decision is None or",
        ("integration/http/test_recorded.py::test_the_position_of_what_was_recorded_or_none",),
    ),
    Mutant(
        "an OpenLineage event that was recorded before is said to be recorded",
        "service/http/recorded.py",
        "(result.decision is None and result.recorded_at is not None)",
        "result.decision is None",
        ("integration/http/test_recorded.py::test_whatever_records_one_event_tells_its_position",),
    ),
    Mutant(
        "an altered cursor is read",
        "service/ledger/cursors.py",
        "if checksum != _checksum(raw) or _encode(raw) != text:",
        "if not checksum:",
        ("unit/ledger/test_cursors.py::test_an_altered_cursor_is_malformed",),
    ),
)
