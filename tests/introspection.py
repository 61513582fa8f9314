"""What asyncpg asks about PostgreSQL's own types is asked once in a process, not by every connection.

asyncpg has no codecs of arrays of its own: a connection that meets the first one reads pg_type by a recursive query,
which takes a sixth of the CPU time in which a service starts and answers its first request. These types are the same
in every database.
"""

from types import SimpleNamespace

from asyncpg.connection import Connection

FIRST_OF_USERS = 16384
"""PostgreSQL's own types have lower numbers than those that users create."""


def introspect_once() -> None:
    """Let the connections of this process share what they find out."""
    ask = Connection._introspect_types
    known: dict[frozenset[int], object] = {}

    async def introspect(self, typeoids, timeout):  # noqa: ASYNC109  asyncpg's signature
        oids = frozenset(typeoids)
        if any(oid >= FIRST_OF_USERS for oid in oids):
            return await ask(self, typeoids, timeout)
        if oids not in known:
            known[oids], _ = await ask(self, typeoids, timeout)
        return known[oids], SimpleNamespace(name="")  # an unnamed statement is prepared again, as after a real question

    Connection._introspect_types = introspect
