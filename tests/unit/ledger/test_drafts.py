"""What makes an event this one and no other."""

from datetime import UTC
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from service.domain.event import RunState
from service.ledger import drafts
from service.ledger.drafts import Caller

RUN = UUID("870492da-ecfb-4be0-91b9-9a89ddd3db90")


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(RunState), st.booleans())
def test_a_transitions_fact_is_the_digest_of_its_state_and_time(at, state, explicit):
    """Whatever writes the time: what was recorded long ago must be known again."""
    draft = drafts.transition(RUN, state, at, explicit=explicit, caller=Caller())
    assert draft.fact == drafts.short_digest("transition", state, at.isoformat())
    assert draft.request_digest is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_repeated_key_must_come_with_the_time_that_its_caller_named(at):
    keyed = Caller("me", "key")
    named = drafts.transition(RUN, RunState.FAILED, at, explicit=True, caller=keyed)
    unnamed = drafts.transition(RUN, RunState.FAILED, at, explicit=False, caller=keyed)
    assert named.fact == unnamed.fact == drafts.short_digest("key", "me", "key")
    assert named.request_digest == drafts.short_digest("transition", "FAILED", at.isoformat())
    assert unnamed.request_digest == drafts.short_digest("transition", "FAILED", "")
