"""What a role may do: the service needs little, whoever takes payloads out of the ledger needs to own it."""

from __future__ import annotations

from service.database.connections import Link, load

_OWNS, _FIND, _GRANTS = load("owns"), load("find_role"), load("grants_for_role")


class CannotDo(Exception):
    """A sentence for whoever runs a command: what stands in the way, and what to do about it."""


async def require_owner(link: Link, what: str) -> None:
    """Raise CannotDo unless the connection's role owns the ledger; `what` begins the sentence."""
    async with link.connection() as connection:
        row = await connection.fetchrow(_OWNS)
    if not row["owns"]:
        raise CannotDo(
            f"{what} needs the rights of the owner of Runfold's tables, {row['owner']}; {row['me']} does not have them."
            " Connect as that role (--database-url)."
        )


async def grant(link: Link, role: str) -> bool:
    """Give a role what serving takes, and nothing else in the schema; return whether it had to be created.

    Raises CannotDo for a role that owns the tables or is a superuser: nothing can be kept from those.
    """
    async with link.connection() as connection, connection.transaction():
        found = await connection.fetchrow(_FIND, role)
        if found["mighty"]:
            raise CannotDo(
                f"{role} owns Runfold's tables or is a superuser, which cannot have less rights; name another."
            )
        if not found["exists"]:
            await connection.execute(await connection.fetchval("select format('create role %I login', $1::text)", role))
        for row in await connection.fetch(_GRANTS, role):
            await connection.execute(row[0])
        return not found["exists"]
