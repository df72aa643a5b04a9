"""What a database is made of, as its catalogue says: to compare one with another."""

from typing import Any

import psycopg

SCHEMAS = "('ledger', 'loyalty', 'vault', 'campaigns', 'public')"

QUESTIONS = {
    "columns": f"""
        SELECT c.relnamespace::regnamespace || '.' || c.relname || '.' || a.attname,
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
            a.attgenerated::text, regexp_replace(
                pg_get_expr(d.adbin, d.adrelid), '^''(-?\\d+)''::[a-z]+$', '\\1')
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
            AND c.relnamespace::regnamespace::text IN {SCHEMAS}""",
    "constraints": f"""
        SELECT coalesce(nullif(conrelid, 0)::regclass::text, '') || '.' || conname,
            pg_get_constraintdef(oid), convalidated
        FROM pg_constraint WHERE contype <> 'n'
            AND connamespace::regnamespace::text IN {SCHEMAS}""",
    "indexes": f"""
        SELECT schemaname || '.' || indexname, indexdef FROM pg_indexes
        WHERE schemaname IN {SCHEMAS}""",
    "storage": f"""
        SELECT oid::regclass::text, relkind::text, reloptions FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
            AND relnamespace::regnamespace::text IN {SCHEMAS}""",
    "triggers": f"""
        SELECT c.oid::regclass || '.' || t.tgname, pg_get_triggerdef(t.oid), t.tgenabled::text
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND c.relnamespace::regnamespace::text IN {SCHEMAS}""",
    "functions": f"""
        SELECT oid::regprocedure::text, pg_get_functiondef(oid), proacl::text FROM pg_proc
        WHERE pronamespace::regnamespace::text IN {SCHEMAS}""",
    "grants": f"""
        SELECT oid::regclass::text, grants.a::text FROM pg_class
        CROSS JOIN LATERAL unnest(relacl) AS grants(a)
        WHERE relnamespace::regnamespace::text IN {SCHEMAS}
        UNION ALL
        SELECT attrelid::regclass || '.' || attname, grants.a::text FROM pg_attribute
        JOIN pg_class c ON c.oid = attrelid CROSS JOIN LATERAL unnest(attacl) AS grants(a)
        WHERE c.relnamespace::regnamespace::text IN {SCHEMAS}""",
    "schemas": """
        SELECT nspname, nspacl::text FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'""",
}

OF_MODELS = ("columns", "constraints", "indexes")
"""The questions to which tables made from the models give an answer too."""

Catalogue = dict[str, set[tuple[Any, ...]]]


def read_catalogue(url: str, *, without: str = "alembic_version") -> Catalogue:
    """Return the answers to `QUESTIONS`, each as a set of rows led by a name."""
    with psycopg.connect(url) as connection:
        return {
            name: {
                tuple(str(value) if value is not None else None for value in row)
                for row in connection.execute(question.encode())
                if without not in row[0]
            }
            for name, question in QUESTIONS.items()
        }


def differences(one: Catalogue, other: Catalogue) -> list[str]:
    """Return a line for each row that only one of both has."""
    return [
        f"{name}: {side} {row}"
        for name in one
        for side, rows in (("-", one[name] - other[name]), ("+", other[name] - one[name]))
        for row in sorted(rows, key=str)
    ]
