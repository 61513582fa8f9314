"""What a role may do: the service needs little, whoever takes payloads out of the ledger needs to own it."""

from __future__ import annotations

from service.database.connections import Connections
from service.database.statements import load
from service.errors import OperatorError

_OWNS, _FIND, _GRANTS = load("owner"), load("find_role"), load("grants_for_role")


async def require_owner(connections: Connections, what: str) -> None:
    """Raise OperatorError unless the connection's role owns the ledger; `what` begins the sentence."""
    async with connections.connection() as connection:
        row = await connection.fetchrow(_OWNS)
    if not row["owns"]:
        raise OperatorError(
            f"{what} needs the rights of the owner of Runfold's tables, {row['owner']}; {row['me']} does not have them."
            " Connect as that role (--database-url)."
        )


async def grant(connections: Connections, role: str) -> bool:
    """Give a role what serving takes, and nothing else in the schema; return whether it had to be created.

    Raises OperatorError for a role that owns the tables or is a superuser: nothing can be kept from those.
    """
    async with connections.connection() as connection, connection.transaction():
        found = await connection.fetchrow(_FIND, role)
        if found["mighty"]:
            raise OperatorError(
                f"{role} owns Runfold's tables or is a superuser, which cannot have less rights; name another."
            )
        if not found["exists"]:
            await connection.execute(await connection.fetchval("select format('create role %I login', $1::text)", role))
        for row in await connection.fetch(_GRANTS, role):
            await connection.execute(row[0])
        return not found["exists"]
