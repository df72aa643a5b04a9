"""What the database itself refuses, whatever the code does: append-only tables and grants."""

from collections.abc import Iterable

from alembic import op

APP = "quanyi_app"
SEALER = "quanyi_sealer"
AUDITOR = "quanyi_auditor"
ROLES = (APP, SEALER, AUDITOR)
GATE = "quanyi_gate"
ADAPTER = "quanyi_adapter"


def create_roles() -> None:
    """Create the roles that the processes run as, where this server does not have them yet.

    Roles belong to the whole server, so another database's migration may create them at the
    same moment: whoever comes second finds them.
    """
    for role in ROLES:
        op.execute(
            f"""
            DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    RETURN; -- an owner who may not create roles gets by with those there are
                END IF;
                CREATE ROLE {role} NOLOGIN;
                EXECUTE format('GRANT {role} TO %I', current_user);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
            """
        )


def create_roles_above_app(*roles: str) -> None:
    """Create roles that may do all that the app may, and what is granted to them beside."""
    for role in roles:
        op.execute(
            f"""
            DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    RETURN; -- whoever made it made it a member of the app
                END IF;
                CREATE ROLE {role} NOLOGIN;
                EXECUTE format('GRANT {role} TO %I', current_user);
                GRANT {APP} TO {role};
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
            """
        )


def create_schema(name: str) -> None:
    """Create a schema that every process may look into."""
    op.execute(f"CREATE SCHEMA {name}")
    op.execute(f"GRANT USAGE ON SCHEMA {name} TO {', '.join(ROLES)}")


def append_only(table: str, *, writers: Iterable[str] = (APP,)) -> None:
    """Let `writers` insert and everybody read; refuse UPDATE, DELETE and TRUNCATE always.

    `ENABLE ALWAYS` keeps the refusal under `session_replication_role = replica` too.
    """
    op.execute(f"GRANT SELECT ON {table} TO {', '.join(ROLES)}")
    op.execute(f"GRANT INSERT ON {table} TO {', '.join(writers)}")
    name = table.replace(".", "_")
    op.execute(
        f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    )
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_append_only")
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}_no_truncate")


def projection(table: str, *, updates: Iterable[str] = (), deletes: bool = False) -> None:
    """Let the app insert and read, and update only the columns in `updates`."""
    op.execute(f"GRANT SELECT ON {table} TO {', '.join(ROLES)}")
    op.execute(f"GRANT INSERT ON {table} TO {APP}")
    columns = ", ".join(updates)
    if columns:
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO {APP}")
    if deletes:
        op.execute(f"GRANT DELETE ON {table} TO {APP}")
