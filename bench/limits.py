"""The limits: what PostgreSQL does on this machine with the same rows, indexes and triggers."""

POST_ONE = """
CREATE FUNCTION ledger.bench_post(
    wallet bigint, issued bigint, amount bigint, ref text, digest bytea, expires timestamptz,
    cause jsonb
) RETURNS bigint LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    entry bigint;
    pos bigint;
    balance bigint;
    clock timestamptz;
    epoch CONSTANT timestamptz := '1970-01-01 00:00:00+00';
BEGIN
    PERFORM 1 FROM ledger.wallets w WHERE w.account_id = wallet FOR NO KEY UPDATE;
    PERFORM 1 FROM ledger.entries e WHERE e.account_id = wallet AND e.source = 'bench'
        AND e.reference = ref AND e.home_id = wallet;
    IF FOUND THEN
        RETURN 0;
    END IF;
    clock := clock_timestamp();
    entry := nextval('ledger.entry_ids');
    UPDATE ledger.wallets w SET posted = w.posted + amount, position = w.position + 1
    WHERE w.account_id = wallet RETURNING w.position, w.posted INTO pos, balance;
    INSERT INTO ledger.entries VALUES (wallet, entry, wallet, 'earn', 'bench', ref, digest, pos, 1,
        cause, clock, clock);
    INSERT INTO ledger.transfers VALUES (wallet, pos, entry, issued, wallet, amount, balance, NULL);
    INSERT INTO ledger.lots VALUES (wallet, pos, amount, epoch, expires, NULL, amount, 0, 0, true);
    INSERT INTO ledger.lot_totals AS t VALUES (wallet, expires, epoch, amount, 0)
    ON CONFLICT (account_id, expires_at, available_from) DO UPDATE
    SET remaining = t.remaining + excluded.remaining;
    RETURN entry;
END $$
"""

# The rows of a batch of earns on different wallets, made by the database itself.
POST_MANY = """
WITH picked AS MATERIALIZED (
    SELECT w.account_id, w.posted, w.position, nextval('ledger.entry_ids') AS entry
    FROM ledger.wallets w WHERE w.account_id = ANY(%(wallets)s)
    ORDER BY w.account_id FOR NO KEY UPDATE
), entries AS (
    INSERT INTO ledger.entries
    SELECT account_id, entry, account_id, 'earn', 'bench', %(ref)s || account_id, %(digest)s,
        position + 1, 1, NULL, now(), now() FROM picked
), transfers AS (
    INSERT INTO ledger.transfers
    SELECT account_id, position + 1, entry, %(issued)s, account_id, 10, posted + 10, NULL
    FROM picked
), lots AS (
    INSERT INTO ledger.lots
    SELECT account_id, position + 1, 10, '1970-01-01 00:00:00+00', %(expires)s, NULL, 10, 0, 0,
        true FROM picked
), totals AS (
    INSERT INTO ledger.lot_totals AS t
    SELECT account_id, %(expires)s, '1970-01-01 00:00:00+00', 10, 0 FROM picked
    ON CONFLICT (account_id, expires_at, available_from) DO UPDATE
    SET remaining = t.remaining + excluded.remaining
)
UPDATE ledger.wallets w SET posted = w.posted + 10, position = w.position + 1
FROM picked WHERE w.account_id = picked.account_id
"""
