"""Pieces with events of the same run are appended one after the other; others are not held up."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ledger.stream_order import StreamOrder

STREAMS = [UUID(int=number) for number in range(5)]
PIECES = st.lists(st.tuples(st.sets(st.sampled_from(STREAMS), max_size=3), st.integers(0, 4)), max_size=12)


@given(PIECES)
def test_any_pieces_that_share_a_run_come_in_their_order_and_any_others_at_once(pieces):
    began, ended = [], []

    async def piece(order, number, streams, turns):
        async with order.turn(streams):
            began.append(number)
            for _ in range(turns):  # of the event loop
                await asyncio.sleep(0)
            ended.append(number)

    async def all_of_them():
        order = StreamOrder()
        await asyncio.gather(*(piece(order, number, *one) for number, one in enumerate(pieces)))

    asyncio.run(all_of_them())
    assert sorted(began) == sorted(ended) == list(range(len(pieces)))
    for second, (streams, _) in enumerate(pieces):
        sharing = [first for first in range(second) if not streams.isdisjoint(pieces[first][0])]
        assert all(began.index(first) < began.index(second) for first in sharing)
        if not sharing:
            assert all(began.index(second) < began.index(later) for later in range(second + 1, len(pieces)))


async def test_a_piece_that_fails_or_is_cancelled_holds_up_no_other():
    order, entered = StreamOrder(), asyncio.Event()

    async def hanging():
        async with order.turn(STREAMS[:1]):
            entered.set()
            await asyncio.Event().wait()

    async def waiting():
        async with order.turn(STREAMS[:2]):
            raise ValueError("a piece that fails")

    first, second, third = (
        asyncio.create_task(hanging()),
        asyncio.create_task(waiting()),
        asyncio.create_task(waiting()),
    )
    await entered.wait()
    second.cancel()
    first.cancel()
    with pytest.raises(ValueError, match="fails"):
        await third
    async with asyncio.timeout(5), order.turn(STREAMS):
        pass
