"""What every table of a database holds, to see whether anything was written."""

import psycopg
from psycopg import sql

from tests.servers import Database

SCHEMAS = ["ledger", "loyalty", "vault", "campaigns"]


class Contents:
    """Reads the number of rows and a digest of the rows of every table, in one statement."""

    def __init__(self, database: Database) -> None:
        """Ask the database itself which tables there are, so that none can be forgotten."""
        self._connection = psycopg.connect(database.superuser_url, autocommit=True)
        tables = self._connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1, 2",
            [SCHEMAS],
        ).fetchall()
        assert len(tables) > 20
        self._question = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*), coalesce(sum(hashtext(t::text)), 0) FROM {} t").format(
                sql.Literal(f"{schema}.{table}"), sql.Identifier(schema, table)
            )
            for schema, table in tables
        )

    def read(self) -> dict[str, tuple[int, int]]:
        """Return rows and digest by table."""
        rows = self._connection.execute(self._question).fetchall()
        return {table: (count, digest) for table, count, digest in rows}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
