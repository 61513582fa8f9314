"""The rights of database roles. Serving needs few; archiving, restoring and erasing need the owner of the tables."""

from __future__ import annotations

from service.database.connections import Connections
from service.database.scram import verifier
from service.database.statements import load
from service.errors import OperatorError

_CREATE, _SET_PASSWORD = load("create_role"), load("set_role_password")
_OWNER, _FIND_ROLE, _GRANTS = load("owner"), load("find_role"), load("grants_for_role")


async def require_owner(connections: Connections, what: str) -> None:
    """Raise OperatorError unless the connection's role owns the ledger; `what` is the subject of the message."""
    async with connections.connection() as connection:
        row = await connection.fetchrow(_OWNER)
    if not row["owns"]:
        raise OperatorError(
            f"{what} needs the rights of the owner of Runfold's tables, {row['owner']}; "
            f"{row['role']} does not have them. Connect as that role (--database-url)."
        )


async def grant(connections: Connections, role: str) -> bool:
    """Grant a role the rights that serving needs, and no others in the schema. Returns whether the role was created.

    Raises OperatorError for a role that owns the tables or is a superuser, because their rights cannot be restricted,
    and if the connection's role may not create roles.
    """
    async with connections.connection() as connection:
        row = await connection.fetchrow(_FIND_ROLE, role)
    if row["unrestricted"]:
        raise OperatorError(
            f"{role} owns Runfold's tables or is a superuser, whose rights cannot be restricted; name another."
        )
    if not row["exists"]:
        await _create(connections, role)
    async with connections.connection() as connection, connection.transaction():
        for granted in await connection.fetch(_GRANTS, role):
            await connection.execute(granted["statement"])
    return not row["exists"]


async def set_password(connections: Connections, role: str, password: str) -> None:
    """Set the password of a role. The statement has only its verifier. Raises DatabaseUnavailable without the right."""
    async with connections.connection() as connection:
        await connection.execute(await connection.fetchval(_SET_PASSWORD, role, verifier(password)))


async def _create(connections: Connections, role: str) -> None:
    async with connections.connection() as connection:
        row = await connection.fetchrow(_CREATE, role)
        if row["allowed"]:
            await connection.execute(row["statement"])
            return
    raise OperatorError(
        f"The schema is migrated, but {row['creator']} may not create the role {role}, because it lacks CREATEROLE."
        f" As a superuser, run: {row['statement']}; then run this command again."
    )
