"""What holds in every ledger at every moment, asked of the database in SQL."""

from typing import Any

import psycopg

from tests.servers import Database

Connection = psycopg.Connection[tuple[Any, ...]]

# Each question returns the rows that break what its name says; none may return any.
INVARIANTS = {
    "what a wallet has posted is the sum of its log": """
        SELECT w.account_id, w.posted, coalesce(sum(CASE w.account_id WHEN t.to_account_id
            THEN t.amount WHEN t.from_account_id THEN -t.amount ELSE 0 END), 0) AS log
        FROM ledger.wallets w LEFT JOIN ledger.transfers t USING (account_id)
        GROUP BY w.account_id HAVING w.posted <> coalesce(sum(CASE w.account_id
            WHEN t.to_account_id THEN t.amount WHEN t.from_account_id THEN -t.amount
            ELSE 0 END), 0)""",
    "what a wallet's lots have left, less its debt, is what it has posted": """
        SELECT w.account_id, w.posted, w.debt, sum(l.remaining) AS lots
        FROM ledger.wallets w LEFT JOIN ledger.lots l USING (account_id)
        GROUP BY w.account_id HAVING w.posted <> coalesce(sum(l.remaining), 0) - w.debt""",
    "no wallet is below its floor, nor owes more than it allows": """
        SELECT account_id FROM ledger.wallets
        WHERE posted - held < floor OR debt NOT BETWEEN 0 AND -floor OR held < 0""",
    "what a wallet holds is the sum of what its lots hold": """
        SELECT w.account_id, w.held, sum(l.held) AS lots
        FROM ledger.wallets w LEFT JOIN ledger.lots l USING (account_id)
        GROUP BY w.account_id HAVING w.held <> coalesce(sum(l.held), 0)""",
    "what a lot holds is the sum of what holds reserve of it": """
        SELECT l.account_id, l.position, l.held, sum(h.remaining) AS holds
        FROM ledger.lots l LEFT JOIN ledger.hold_lots h
            ON h.account_id = l.account_id AND h.lot = l.position
        GROUP BY l.account_id, l.position HAVING l.held <> coalesce(sum(h.remaining), 0)""",
    "a hold's lots add up to it, at first and now": """
        SELECT h.account_id, h.id, h.amount, h.remaining FROM ledger.holds h
        LEFT JOIN ledger.hold_lots l ON l.account_id = h.account_id AND l.hold_id = h.id
        GROUP BY h.account_id, h.id HAVING h.amount <> coalesce(sum(l.amount), 0)
            OR h.remaining <> coalesce(sum(l.remaining), 0)""",
    "what is left of a hold is what was neither captured, released nor lapsed": """
        SELECT h.account_id, h.id, h.amount, h.remaining FROM ledger.holds h
        LEFT JOIN ledger.hold_moves m ON m.account_id = h.account_id AND m.hold_id = h.id
        GROUP BY h.account_id, h.id
        HAVING h.remaining <> h.amount - coalesce(sum(m.amount), 0)""",
    "captures of an entry are transfers of it": """
        SELECT m.account_id, m.entry_id FROM (
            SELECT account_id, entry_id, sum(amount) AS amount FROM ledger.hold_moves
            WHERE kind = 'capture' GROUP BY account_id, entry_id) m
        WHERE m.amount > coalesce((SELECT sum(t.amount) FROM ledger.transfers t
            WHERE t.account_id = m.account_id AND t.entry_id = m.entry_id
                AND t.from_account_id = m.account_id AND t.reverses IS NULL), 0)""",
    "what is left of a lot is its amount less its uses": """
        SELECT l.account_id, l.position, l.amount, l.remaining FROM ledger.lots l
        LEFT JOIN ledger.lot_uses u ON u.account_id = l.account_id AND u.lot = l.position
        GROUP BY l.account_id, l.position
        HAVING l.remaining <> l.amount - coalesce(sum(u.amount), 0)
            OR NOT 0 <= l.held OR l.held > l.remaining OR l.expired NOT BETWEEN 0 AND l.amount
            OR l.remaining + l.expired > l.amount OR l.open <> (l.remaining > 0)""",
    "a lot is opened by a credit of its wallet, of no more than that credit": """
        SELECT l.account_id, l.position FROM ledger.lots l
        LEFT JOIN ledger.transfers t USING (account_id, position)
        WHERE t.to_account_id IS DISTINCT FROM l.account_id OR l.amount > t.amount""",
    "a credit that is no reversal opens a lot of all its amount": """
        SELECT t.account_id, t.position FROM ledger.transfers t
        LEFT JOIN ledger.lots l USING (account_id, position)
        WHERE t.to_account_id = t.account_id AND t.reverses IS NULL
            AND l.amount IS DISTINCT FROM t.amount""",
    "a debit that is no reversal uses lots for all its amount": """
        SELECT t.account_id, t.position FROM ledger.transfers t
        LEFT JOIN ledger.lot_uses u USING (account_id, position)
        WHERE t.from_account_id = t.account_id AND t.reverses IS NULL
        GROUP BY t.account_id, t.position, t.amount
        HAVING coalesce(sum(u.amount), 0) <> t.amount OR min(u.amount) < 0""",
    "points not yet usable or lapsed are never spent": """
        SELECT t.account_id, t.position, u.lot FROM ledger.transfers t
        JOIN ledger.entries e ON e.account_id = t.account_id AND e.id = t.entry_id
        JOIN ledger.lot_uses u ON u.account_id = t.account_id AND u.position = t.position
        JOIN ledger.lots l ON l.account_id = u.account_id AND l.position = u.lot
        WHERE t.from_account_id = t.account_id AND t.reverses IS NULL
            AND NOT EXISTS (SELECT FROM ledger.hold_moves m WHERE m.account_id = t.account_id
                AND m.entry_id = t.entry_id AND m.kind = 'capture')
            AND NOT EXISTS (SELECT FROM ledger.accounts a
                WHERE a.id = t.to_account_id AND a.role = 'expired')
            AND NOT (l.available_from <= e.recorded_at AND e.recorded_at < l.expires_at)""",
    "only what has lapsed is moved out as expired": """
        SELECT t.account_id, t.position, u.lot FROM ledger.transfers t
        JOIN ledger.accounts a ON a.id = t.to_account_id AND a.role = 'expired'
        JOIN ledger.entries e ON e.account_id = t.account_id AND e.id = t.entry_id
        JOIN ledger.lot_uses u ON u.account_id = t.account_id AND u.position = t.position
        JOIN ledger.lots l ON l.account_id = u.account_id AND l.position = u.lot
        WHERE t.from_account_id = t.account_id AND l.expires_at > e.recorded_at""",
    "reversals never exceed their original, come after it and are not reversed": """
        SELECT o.account_id, o.position, o.amount, sum(r.amount) AS reversed
        FROM ledger.transfers o JOIN ledger.transfers r
            ON r.account_id = o.account_id AND r.reverses = o.position
        GROUP BY o.account_id, o.position HAVING sum(r.amount) > o.amount
            OR min(r.position) <= o.position OR o.reverses IS NOT NULL""",
    "a reversal has an original": """
        SELECT r.account_id, r.position FROM ledger.transfers r
        WHERE r.reverses IS NOT NULL AND NOT EXISTS (SELECT FROM ledger.transfers o
            WHERE o.account_id = r.account_id AND o.position = r.reverses)""",
    "no more is given back to a lot than its original took from it": """
        SELECT g.account_id, g.reverses, g.lot, g.given FROM (
            SELECT r.account_id, r.reverses, u.lot, -sum(u.amount) AS given
            FROM ledger.transfers r
            JOIN ledger.lot_uses u USING (account_id, position)
            WHERE u.amount < 0 GROUP BY r.account_id, r.reverses, u.lot) g
        WHERE g.given > coalesce((SELECT u.amount FROM ledger.lot_uses u
            WHERE u.account_id = g.account_id AND u.position = g.reverses AND u.lot = g.lot), 0)""",
    "a log has no gap, and each line says the balance after it": """
        SELECT account_id, position, balance_after FROM (
            SELECT t.account_id, t.position, t.balance_after,
                row_number() OVER log AS number,
                sum(CASE t.account_id WHEN t.to_account_id THEN t.amount
                    WHEN t.from_account_id THEN -t.amount ELSE 0 END) OVER log AS balance
            FROM ledger.transfers t WINDOW log AS (PARTITION BY account_id ORDER BY position)
        ) t WHERE position <> number OR balance_after <> balance""",
    "a wallet's position is that of its last line": """
        SELECT w.account_id, w.position FROM ledger.wallets w
        WHERE w.position <> (SELECT count(*) FROM ledger.transfers t
            WHERE t.account_id = w.account_id)""",
    "an entry's lines are those that it counts": """
        SELECT e.account_id, e.id FROM ledger.entries e
        LEFT JOIN ledger.transfers t ON t.account_id = e.account_id AND t.entry_id = e.id
        GROUP BY e.account_id, e.id HAVING count(t.position) <> e.transfers
            OR min(t.position) <> e.position
            OR max(t.position) <> e.position + e.transfers - 1""",
    "an entry stands in its home log, alike in every log": """
        SELECT e.id, e.account_id FROM ledger.entries e LEFT JOIN ledger.entries h
            ON h.id = e.id AND h.account_id = e.home_id
        WHERE (h.kind, h.source, h.reference, h.digest, h.effective_at, h.recorded_at)
            IS DISTINCT FROM
            (e.kind, e.source, e.reference, e.digest, e.effective_at, e.recorded_at)""",
    "a key stands once": """
        SELECT home_id, source, reference FROM ledger.entries WHERE account_id = home_id
        GROUP BY home_id, source, reference HAVING count(*) > 1""",
    "a transfer moves between accounts of one unit, its own wallet or none": """
        SELECT t.account_id, t.position FROM ledger.transfers t
        JOIN ledger.wallets w USING (account_id)
        LEFT JOIN ledger.accounts f ON f.id = t.from_account_id
        LEFT JOIN ledger.accounts o ON o.id = t.to_account_id
        WHERE f.unit_id IS NULL OR f.unit_id <> w.unit_id AND t.account_id = f.id
            OR f.unit_id IS DISTINCT FROM o.unit_id
            OR EXISTS (SELECT FROM ledger.wallets x WHERE x.account_id <> t.account_id
                AND x.account_id IN (t.from_account_id, t.to_account_id))""",
    "later lines were recorded no earlier": """
        SELECT t.account_id, t.position FROM (
            SELECT t.account_id, t.position, e.recorded_at,
                lag(e.recorded_at) OVER (PARTITION BY t.account_id ORDER BY t.position) AS before
            FROM ledger.transfers t
            JOIN ledger.entries e ON e.account_id = t.account_id AND e.id = t.entry_id
        ) t WHERE t.recorded_at < t.before""",
    "a wallet's totals by expiry are the sums of its lots": """
        SELECT account_id, expires_at, available_from, t.remaining, l.remaining, t.held, l.held
        FROM ledger.lot_totals t FULL JOIN (
            SELECT account_id, expires_at, available_from,
                sum(remaining) AS remaining, sum(held) AS held
            FROM ledger.lots GROUP BY account_id, expires_at, available_from
        ) l USING (account_id, expires_at, available_from)
        WHERE coalesce(t.remaining, 0) <> coalesce(l.remaining, 0)
            OR coalesce(t.held, 0) <> coalesce(l.held, 0)""",
    "a wallet counts the unit of its account": """
        SELECT w.account_id FROM ledger.wallets w JOIN ledger.accounts a ON a.id = w.account_id
        WHERE a.unit_id <> w.unit_id""",
}


class Broken(AssertionError):
    """A ledger that breaks an invariant; the message names it and shows the first rows."""


def check_ledger(database: Database) -> None:
    """Check every invariant of the ledger in one snapshot; raise `Broken` naming those that fail.

    Reads as the superuser, so that no grant hides a row.
    """
    with psycopg.connect(database.superuser_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        found = find_broken(connection)
    if found:
        raise Broken("\n".join(f"{name}: {rows}" for name, rows in found.items()))


def find_broken(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return the invariants that do not hold, each with the first few rows that break it."""
    found = {
        name: connection.execute(question.encode() + b" LIMIT 3").fetchall()
        for name, question in INVARIANTS.items()
    }
    return {name: rows for name, rows in found.items() if rows}
