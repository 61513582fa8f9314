"""Processes that create and revoke keys of one name at the same time."""

import asyncio

import pytest

from service.auth import keys
from service.errors import OperatorError


async def test_two_that_create_one_name_at_once_make_one_key(six_connections):
    made = await asyncio.gather(
        *(keys.create_key(connections, "same", "read") for connections in six_connections), return_exceptions=True
    )
    assert sum(isinstance(one, str) for one in made) == 1
    assert all(isinstance(one, str | keys.KeyExists) for one in made)


async def test_who_is_overtaken_at_each_attempt_is_told_so(connections, pair, monkeypatch):
    await keys.create_key(connections, "busy", "read")
    read, overtakes = keys.all_keys, asyncio.Semaphore(keys._MAX_ATTEMPTS)

    async def overtaken(given):
        found = await read(given)
        if given is connections and not overtakes.locked():
            await overtakes.acquire()
            await keys.revoke_key(pair, "busy")
            await keys.create_key(pair, "busy", "read")
        return found

    monkeypatch.setattr(keys, "all_keys", overtaken)
    with pytest.raises(OperatorError, match="busy during each attempt"):
        await keys.revoke_key(connections, "busy")
    await keys.revoke_key(connections, "busy")
