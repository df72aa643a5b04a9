"""Who may log in to an embedded PostgreSQL, and as which group each acts."""

from collections.abc import Mapping

import psycopg
from psycopg import sql

OWNER = "quanyi_owner"
WEB = "quanyi_web"
WORKER = "quanyi_worker"
SENDER = "quanyi_sender"
AUDIT_READER = "quanyi_audit_reader"

GROUPS = ("quanyi_app", "quanyi_sealer", "quanyi_auditor", "quanyi_gate", "quanyi_adapter")
ABOVE_APP = ("quanyi_gate", "quanyi_adapter")
"""Groups that may do all that the app may, and each one thing more: decide, and send."""
LOGINS: Mapping[str, tuple[str, ...]] = {
    OWNER: (),
    WEB: ("quanyi_app",),
    WORKER: ("quanyi_app", "quanyi_sealer", "quanyi_gate"),
    SENDER: ("quanyi_app", "quanyi_adapter"),
    AUDIT_READER: ("quanyi_auditor",),
}
"""Each login with the groups that it is a member of. None is a superuser."""


def create_roles(superuser_url: str, passwords: Mapping[str, str]) -> None:
    """Bring the groups, the logins, their passwords and memberships to what this module says.

    Safe to repeat; `passwords` has one for each of `LOGINS`.
    """
    with psycopg.connect(superuser_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(7201918)")  # one at a time
        for role in (*GROUPS, *LOGINS):
            known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
            if known.fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        for role in ABOVE_APP:
            connection.execute(sql.SQL("GRANT quanyi_app TO {}").format(sql.Identifier(role)))
        for login, groups in LOGINS.items():
            connection.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(login), sql.Literal(passwords[login])
                )
            )
            for group in groups:
                connection.execute(
                    sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(login))
                )


def create_database(superuser_url: str, name: str) -> None:
    """Create database `name`, owned by `quanyi_owner`, unless it is there."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        if known.fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(name), sql.Identifier(OWNER)
                )
            )
