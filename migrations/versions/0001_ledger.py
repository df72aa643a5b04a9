"""The ledger: units, accounts, wallets, entries, transfers, lots, holds, seals."""

from alembic import op

from migrations import guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ledger.units (
    id smallint GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL,
    kind text NOT NULL,
    CONSTRAINT pk_units PRIMARY KEY (id),
    CONSTRAINT uq_units_code UNIQUE (code),
    CONSTRAINT ck_units_kind CHECK (kind IN ('points', 'status', 'money'))
);
CREATE TABLE ledger.accounts (
    id bigint GENERATED ALWAYS AS IDENTITY,
    unit_id smallint NOT NULL CONSTRAINT fk_accounts_unit_id REFERENCES ledger.units (id),
    role text NOT NULL,
    holder text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_accounts PRIMARY KEY (id),
    CONSTRAINT uq_accounts_holder_unit_id_role UNIQUE (holder, unit_id, role)
);
CREATE TABLE ledger.wallets (
    account_id bigint NOT NULL
        CONSTRAINT fk_wallets_account_id REFERENCES ledger.accounts (id),
    unit_id smallint NOT NULL,
    floor bigint NOT NULL DEFAULT 0,
    posted bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    debt bigint NOT NULL DEFAULT 0,
    position bigint NOT NULL DEFAULT 0,
    CONSTRAINT pk_wallets PRIMARY KEY (account_id),
    CONSTRAINT ck_wallets_floor CHECK (floor <= 0),
    CONSTRAINT ck_wallets_held CHECK (held >= 0),
    CONSTRAINT ck_wallets_debt CHECK (debt >= 0),
    CONSTRAINT ck_wallets_above_floor CHECK (posted - held >= floor)
) WITH (fillfactor = 60);
CREATE TABLE ledger.terms (
    digest bytea NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT pk_terms PRIMARY KEY (digest)
);
CREATE SEQUENCE ledger.entry_ids;
CREATE TABLE ledger.entries (
    account_id bigint NOT NULL
        CONSTRAINT fk_entries_account_id REFERENCES ledger.wallets (account_id),
    id bigint NOT NULL,
    home_id bigint NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    reference text NOT NULL,
    digest bytea NOT NULL,
    position bigint NOT NULL,
    transfers smallint NOT NULL,
    cause jsonb,
    effective_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT pk_entries PRIMARY KEY (account_id, id),
    CONSTRAINT uq_entries_account_id_source_reference_home_id
        UNIQUE (account_id, source, reference, home_id)
);
CREATE INDEX ix_entries_id_account_id ON ledger.entries (id, account_id);
CREATE TABLE ledger.transfers (
    account_id bigint NOT NULL,
    position bigint NOT NULL,
    entry_id bigint NOT NULL,
    from_account_id bigint NOT NULL,
    to_account_id bigint NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    reverses bigint,
    CONSTRAINT pk_transfers PRIMARY KEY (account_id, position),
    CONSTRAINT fk_transfers_account_id FOREIGN KEY (account_id, entry_id)
        REFERENCES ledger.entries (account_id, id),
    CONSTRAINT ck_transfers_amount CHECK (amount > 0),
    CONSTRAINT ck_transfers_two_accounts CHECK (from_account_id <> to_account_id),
    CONSTRAINT ck_transfers_position CHECK (position > 0)
);
CREATE INDEX ix_transfers_account_id_reverses ON ledger.transfers (account_id, reverses)
    WHERE reverses IS NOT NULL;
CREATE TABLE ledger.lots (
    account_id bigint NOT NULL,
    position bigint NOT NULL,
    amount bigint NOT NULL,
    available_from timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    terms bytea,
    remaining bigint NOT NULL,
    held bigint NOT NULL DEFAULT 0,
    expired bigint NOT NULL DEFAULT 0,
    open boolean NOT NULL,
    CONSTRAINT pk_lots PRIMARY KEY (account_id, position),
    CONSTRAINT fk_lots_account_id FOREIGN KEY (account_id, position)
        REFERENCES ledger.transfers (account_id, position),
    CONSTRAINT ck_lots_amount CHECK (amount > 0),
    CONSTRAINT ck_lots_held CHECK (0 <= held AND held <= remaining),
    CONSTRAINT ck_lots_remaining CHECK (remaining + expired <= amount),
    CONSTRAINT ck_lots_expired CHECK (expired >= 0),
    CONSTRAINT ck_lots_open CHECK (open = (remaining > 0))
) WITH (fillfactor = 80);
CREATE INDEX ix_lots_account_id_expires_at_position
    ON ledger.lots (account_id, expires_at, position) WHERE open;
CREATE TABLE ledger.lot_uses (
    account_id bigint NOT NULL,
    position bigint NOT NULL,
    lot bigint NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT pk_lot_uses PRIMARY KEY (account_id, position, lot),
    CONSTRAINT fk_lot_uses_account_id FOREIGN KEY (account_id, position)
        REFERENCES ledger.transfers (account_id, position),
    CONSTRAINT fk_lot_uses_lot FOREIGN KEY (account_id, lot)
        REFERENCES ledger.lots (account_id, position),
    CONSTRAINT ck_lot_uses_amount CHECK (amount <> 0)
);
CREATE TABLE ledger.lot_totals (
    account_id bigint NOT NULL
        CONSTRAINT fk_lot_totals_account_id REFERENCES ledger.wallets (account_id),
    expires_at timestamptz NOT NULL,
    available_from timestamptz NOT NULL,
    remaining bigint NOT NULL,
    held bigint NOT NULL,
    CONSTRAINT pk_lot_totals PRIMARY KEY (account_id, expires_at, available_from),
    CONSTRAINT ck_lot_totals_held CHECK (0 <= held AND held <= remaining)
) WITH (fillfactor = 70);
CREATE INDEX ix_lot_totals_expires_at_account_id ON ledger.lot_totals (expires_at, account_id);
CREATE TABLE ledger.holds (
    account_id bigint NOT NULL,
    id bigint NOT NULL,
    amount bigint NOT NULL,
    lapses_at timestamptz NOT NULL,
    remaining bigint NOT NULL,
    CONSTRAINT pk_holds PRIMARY KEY (account_id, id),
    CONSTRAINT fk_holds_account_id FOREIGN KEY (account_id, id)
        REFERENCES ledger.entries (account_id, id),
    CONSTRAINT ck_holds_remaining CHECK (0 <= remaining AND remaining <= amount),
    CONSTRAINT ck_holds_amount CHECK (amount > 0)
);
CREATE INDEX ix_holds_account_id_lapses_at ON ledger.holds (account_id, lapses_at)
    WHERE remaining > 0;
CREATE INDEX ix_holds_lapses_at ON ledger.holds (lapses_at) WHERE remaining > 0;
CREATE TABLE ledger.hold_lots (
    account_id bigint NOT NULL,
    hold_id bigint NOT NULL,
    lot bigint NOT NULL,
    amount bigint NOT NULL,
    remaining bigint NOT NULL,
    CONSTRAINT pk_hold_lots PRIMARY KEY (account_id, hold_id, lot),
    CONSTRAINT fk_hold_lots_account_id FOREIGN KEY (account_id, hold_id)
        REFERENCES ledger.holds (account_id, id),
    CONSTRAINT fk_hold_lots_lot FOREIGN KEY (account_id, lot)
        REFERENCES ledger.lots (account_id, position),
    CONSTRAINT ck_hold_lots_remaining CHECK (0 <= remaining AND remaining <= amount)
);
CREATE TABLE ledger.hold_moves (
    account_id bigint NOT NULL,
    entry_id bigint NOT NULL,
    hold_id bigint NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT pk_hold_moves PRIMARY KEY (account_id, entry_id, hold_id, kind),
    CONSTRAINT fk_hold_moves_account_id FOREIGN KEY (account_id, entry_id)
        REFERENCES ledger.entries (account_id, id),
    CONSTRAINT fk_hold_moves_hold FOREIGN KEY (account_id, hold_id)
        REFERENCES ledger.holds (account_id, id),
    CONSTRAINT ck_hold_moves_kind CHECK (kind IN ('capture', 'release', 'lapse')),
    CONSTRAINT ck_hold_moves_amount CHECK (amount > 0)
);
CREATE TABLE ledger.seals (
    log text NOT NULL,
    seal_no bigint NOT NULL,
    account_id bigint NOT NULL,
    entry_id bigint NOT NULL,
    leaf bytea NOT NULL,
    CONSTRAINT pk_seals PRIMARY KEY (log, seal_no),
    CONSTRAINT uq_seals_log_entry_id_account_id UNIQUE (log, entry_id, account_id)
);
CREATE TABLE ledger.seal_nodes (
    log text NOT NULL,
    level smallint NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_seal_nodes PRIMARY KEY (log, level, number)
);
CREATE TABLE ledger.checkpoints (
    log text NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    origin text NOT NULL,
    algorithm text NOT NULL,
    at timestamptz NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL,
    CONSTRAINT pk_checkpoints PRIMARY KEY (log, size)
);
CREATE TABLE ledger.totals (
    account_id bigint NOT NULL
        CONSTRAINT fk_totals_account_id REFERENCES ledger.accounts (id),
    debits bigint NOT NULL DEFAULT 0,
    credits bigint NOT NULL DEFAULT 0,
    CONSTRAINT pk_totals PRIMARY KEY (account_id)
)
"""

REFUSE_CHANGE = """
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$
"""

REFUSE_REWRITE = """
CREATE FUNCTION ledger.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what % says of the past cannot change', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""

REFUSE_OVER_REVERSAL = """
CREATE FUNCTION ledger.refuse_over_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount + coalesce((
        SELECT sum(t.amount) FROM ledger.transfers t
        WHERE t.account_id = NEW.account_id AND t.reverses = NEW.reverses
    ), 0) > coalesce((
        SELECT t.amount FROM ledger.transfers t
        WHERE t.account_id = NEW.account_id AND t.position = NEW.reverses
    ), 0) THEN
        RAISE EXCEPTION 'reversals of transfer %-% would exceed it', NEW.account_id, NEW.reverses
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

# The planner may know nothing yet of tables that an import is filling: these functions look rows
# up by key and must do so from the first row to the last.
BY_KEY = """
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
    SET enable_material = off
"""

# Locks the wallets, then reads what deciding needs, in one round trip. A function of PL/pgSQL
# takes a new snapshot for each of its statements, so what it reads was committed before the
# locks were granted; a single statement would read what stood before it waited for them.
READ_BOOK = f"""
CREATE FUNCTION ledger.read_book(needs json) RETURNS json
LANGUAGE plpgsql VOLATILE {BY_KEY} AS $$
DECLARE
    asked bigint[] := ARRAY(SELECT json_array_elements_text(needs->'accounts')::bigint);
    wallets json;
    units json;
    clock timestamptz;
    ids json;
    known json;
    lines json;
    lots json;
    holds json;
    originals json;
    used json;
BEGIN
    SELECT json_agg(w) INTO wallets FROM (
        SELECT w.account_id, w.unit_id, w.floor, w.posted, w.held, w.debt, w.position
        FROM ledger.wallets w WHERE w.account_id = ANY(asked)
        ORDER BY w.account_id FOR NO KEY UPDATE
    ) w;
    clock := clock_timestamp();
    IF coalesce(json_array_length(wallets), 0) < cardinality(asked) THEN
        SELECT json_agg(a) INTO units FROM (
            SELECT a.id, a.unit_id FROM ledger.accounts a WHERE a.id = ANY(asked)
        ) a;
    END IF;
    SELECT json_agg(nextval('ledger.entry_ids')) INTO ids
    FROM generate_series(1, json_array_length(needs->'keys'));
    SELECT json_agg(k) INTO known FROM (
        SELECT e.account_id, e.source, e.reference, encode(e.digest, 'hex') AS digest, e.id,
            e.recorded_at
        FROM json_to_recordset(needs->'keys')
            AS k(account_id bigint, source text, reference text)
        -- One by one: joined, a planner who knows nothing of `entries` reads all of it for each.
        CROSS JOIN LATERAL (
            SELECT * FROM ledger.entries e WHERE e.account_id = k.account_id
                AND e.source = k.source AND e.reference = k.reference
                AND e.home_id = k.account_id LIMIT 1
        ) e
    ) k;
    IF known IS NOT NULL THEN
        SELECT json_agg(t) INTO lines FROM (
            SELECT e.id, t.account_id, t.position, t.from_account_id, t.to_account_id, t.amount,
                t.balance_after, t.reverses
            FROM json_to_recordset(known) AS k(id bigint)
            JOIN ledger.entries e ON e.id = k.id
            JOIN ledger.transfers t ON t.account_id = e.account_id
                AND t.position >= e.position AND t.position < e.position + e.transfers
            ORDER BY e.id, e.account_id <> e.home_id, t.account_id, t.position
        ) t;
    END IF;
    IF needs->'spenders' IS NOT NULL THEN
        SELECT json_agg(l) INTO lots FROM (
            SELECT l.account_id, l.position, l.amount, l.available_from, l.expires_at,
                encode(l.terms, 'hex') AS terms, l.remaining, l.held, l.expired
            FROM json_to_recordset(needs->'spenders') AS w(id bigint, first bigint, past boolean)
            CROSS JOIN LATERAL (
                SELECT * FROM ledger.lots l
                WHERE l.account_id = w.id AND l.open
                    AND ((NOT w.past AND l.expires_at > clock)
                        OR (w.past AND l.expires_at <= clock))
                ORDER BY l.expires_at, l.position LIMIT w.first
            ) l
        ) l;
    END IF;
    IF needs->'holders' IS NOT NULL THEN
        SELECT json_agg(h) INTO holds FROM (
            SELECT h.id, h.amount AS hold_amount, h.lapses_at, h.remaining AS hold_remaining,
                hl.remaining AS reserved, l.account_id, l.position, l.amount, l.available_from,
                l.expires_at, encode(l.terms, 'hex') AS terms, l.remaining, l.held, l.expired
            FROM json_array_elements_text(needs->'holders') AS w(id)
            JOIN ledger.holds h ON h.account_id = w.id::bigint AND h.remaining > 0
                AND h.lapses_at <= clock
            JOIN ledger.hold_lots hl ON hl.account_id = h.account_id AND hl.hold_id = h.id
            JOIN ledger.lots l ON l.account_id = hl.account_id AND l.position = hl.lot
            UNION
            SELECT h.id, h.amount, h.lapses_at, h.remaining, hl.remaining, l.account_id,
                l.position, l.amount, l.available_from, l.expires_at, encode(l.terms, 'hex'),
                l.remaining, l.held, l.expired
            FROM json_to_recordset(needs->'holds') AS k(account_id bigint, id bigint)
            JOIN ledger.holds h ON h.account_id = k.account_id AND h.id = k.id
            JOIN ledger.hold_lots hl ON hl.account_id = h.account_id AND hl.hold_id = h.id
            JOIN ledger.lots l ON l.account_id = hl.account_id AND l.position = hl.lot
        ) h;
    END IF;
    IF needs->'originals' IS NOT NULL THEN
        SELECT json_agg(o) INTO originals FROM (
            SELECT t.account_id, t.position, t.from_account_id, t.to_account_id, t.amount,
                t.reverses, (
                    SELECT coalesce(sum(r.amount), 0)::bigint FROM ledger.transfers r
                    WHERE r.account_id = t.account_id AND r.reverses = t.position
                ) AS reversed, EXISTS (
                    SELECT FROM ledger.entries e
                    JOIN ledger.lot_uses u ON u.account_id = t.account_id
                        AND u.position = t.position
                    JOIN ledger.lots l ON l.account_id = u.account_id AND l.position = u.lot
                    WHERE e.account_id = t.account_id AND e.id = t.entry_id
                        AND l.expires_at <= e.recorded_at AND t.from_account_id = t.account_id
                        AND NOT EXISTS (
                            SELECT FROM ledger.hold_moves m WHERE m.account_id = t.account_id
                                AND m.entry_id = t.entry_id AND m.kind = 'capture'
                        )
                ) AS is_expiry
            FROM json_to_recordset(needs->'originals') AS k(account_id bigint, position bigint)
            JOIN ledger.transfers t ON t.account_id = k.account_id AND t.position = k.position
        ) o;
        SELECT json_agg(u) INTO used FROM (
            WITH keys AS (
                SELECT DISTINCT k.account_id, k.position
                FROM json_to_recordset(needs->'originals')
                    AS k(account_id bigint, position bigint)
            ), parts AS (
                SELECT k.account_id, k.position, u.lot, u.amount
                FROM keys k
                JOIN ledger.lot_uses u ON u.account_id = k.account_id AND u.position = k.position
                UNION ALL
                SELECT k.account_id, k.position, u.lot, u.amount
                FROM keys k
                JOIN ledger.transfers r ON r.account_id = k.account_id
                    AND r.reverses = k.position
                JOIN ledger.lot_uses u ON u.account_id = r.account_id
                    AND u.position = r.position AND u.amount < 0
                UNION ALL
                SELECT k.account_id, k.position, k.position, 0 FROM keys k
            )
            SELECT p.position AS original, sum(p.amount)::bigint AS used, l.account_id,
                l.position, l.amount, l.available_from, l.expires_at,
                encode(l.terms, 'hex') AS terms, l.remaining, l.held, l.expired
            FROM parts p
            JOIN ledger.lots l ON l.account_id = p.account_id AND l.position = p.lot
            GROUP BY p.account_id, p.position, l.account_id, l.position
        ) u;
    END IF;
    RETURN json_build_object('wallets', wallets, 'units', units, 'clock', clock, 'ids', ids,
        'known', known, 'lines', lines, 'lots', lots, 'holds', holds, 'originals', originals,
        'used', used);
END $$
"""

EXPECT = """
CREATE FUNCTION ledger.expect(name text, expected bigint, changed bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF expected <> changed THEN
        RAISE EXCEPTION '% of % rows of % changed', changed, expected, name
            USING ERRCODE = 'data_corrupted';
    END IF;
END $$
"""

# Writes what was decided, in the order that the foreign keys ask for; an absent list is null.
WRITE_BOOK = f"""
CREATE FUNCTION ledger.write_book(
    new_entries json, new_transfers json, new_lots json, new_lot_uses json, new_holds json,
    new_hold_lots json, new_hold_moves json, old_wallets json, old_lots json, old_holds json,
    old_hold_lots json, raised json, lowered json
) RETURNS void LANGUAGE plpgsql VOLATILE {BY_KEY} AS $$
DECLARE
    changed bigint;
BEGIN
    IF new_entries IS NOT NULL THEN
        INSERT INTO ledger.entries (
            account_id, id, home_id, kind, source, reference, digest, position, transfers,
            cause, effective_at, recorded_at
        ) SELECT * FROM json_to_recordset(new_entries) AS r(
            account_id bigint, id bigint, home_id bigint, kind text, source text,
            reference text, digest bytea, position bigint, transfers smallint, cause jsonb,
            effective_at timestamptz, recorded_at timestamptz
        );
    END IF;
    IF new_transfers IS NOT NULL THEN
        INSERT INTO ledger.transfers (
            account_id, position, entry_id, from_account_id, to_account_id, amount,
            balance_after, reverses
        ) SELECT * FROM json_to_recordset(new_transfers) AS r(
            account_id bigint, position bigint, entry_id bigint, from_account_id bigint,
            to_account_id bigint, amount bigint, balance_after bigint, reverses bigint
        );
    END IF;
    IF new_lots IS NOT NULL THEN
        INSERT INTO ledger.lots (
            account_id, position, amount, available_from, expires_at, terms, remaining, held,
            expired, open
        ) SELECT * FROM json_to_recordset(new_lots) AS r(
            account_id bigint, position bigint, amount bigint, available_from timestamptz,
            expires_at timestamptz, terms bytea, remaining bigint, held bigint,
            expired bigint, open boolean
        );
    END IF;
    IF new_lot_uses IS NOT NULL THEN
        INSERT INTO ledger.lot_uses (
            account_id, position, lot, amount
        ) SELECT * FROM json_to_recordset(new_lot_uses) AS r(
            account_id bigint, position bigint, lot bigint, amount bigint
        );
    END IF;
    IF new_holds IS NOT NULL THEN
        INSERT INTO ledger.holds (
            account_id, id, amount, lapses_at, remaining
        ) SELECT * FROM json_to_recordset(new_holds) AS r(
            account_id bigint, id bigint, amount bigint, lapses_at timestamptz,
            remaining bigint
        );
    END IF;
    IF new_hold_lots IS NOT NULL THEN
        INSERT INTO ledger.hold_lots (
            account_id, hold_id, lot, amount, remaining
        ) SELECT * FROM json_to_recordset(new_hold_lots) AS r(
            account_id bigint, hold_id bigint, lot bigint, amount bigint, remaining bigint
        );
    END IF;
    IF new_hold_moves IS NOT NULL THEN
        INSERT INTO ledger.hold_moves (
            account_id, entry_id, hold_id, kind, amount
        ) SELECT * FROM json_to_recordset(new_hold_moves) AS r(
            account_id bigint, entry_id bigint, hold_id bigint, kind text, amount bigint
        );
    END IF;
    IF old_wallets IS NOT NULL THEN
        UPDATE ledger.wallets t
        SET posted = r.posted, held = r.held, debt = r.debt, position = r.position
        FROM json_to_recordset(old_wallets) AS r(
            account_id bigint, posted bigint, held bigint, debt bigint, position bigint
        ) WHERE t.account_id = r.account_id;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM ledger.expect('wallets', json_array_length(old_wallets), changed);
    END IF;
    IF old_lots IS NOT NULL THEN
        UPDATE ledger.lots t
        SET remaining = r.remaining, held = r.held, expired = r.expired, open = r.open
        FROM json_to_recordset(old_lots) AS r(
            account_id bigint, position bigint, remaining bigint, held bigint,
            expired bigint, open boolean
        ) WHERE t.account_id = r.account_id AND t.position = r.position;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM ledger.expect('lots', json_array_length(old_lots), changed);
    END IF;
    IF old_holds IS NOT NULL THEN
        UPDATE ledger.holds t SET remaining = r.remaining
        FROM json_to_recordset(old_holds) AS r(
            account_id bigint, id bigint, remaining bigint
        ) WHERE t.account_id = r.account_id AND t.id = r.id;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM ledger.expect('holds', json_array_length(old_holds), changed);
    END IF;
    IF old_hold_lots IS NOT NULL THEN
        UPDATE ledger.hold_lots t SET remaining = r.remaining
        FROM json_to_recordset(old_hold_lots) AS r(
            account_id bigint, hold_id bigint, lot bigint, remaining bigint
        ) WHERE t.account_id = r.account_id AND t.hold_id = r.hold_id AND t.lot = r.lot;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM ledger.expect('hold_lots', json_array_length(old_hold_lots), changed);
    END IF;
    IF raised IS NOT NULL THEN
        INSERT INTO ledger.lot_totals AS t (account_id, expires_at, available_from, remaining, held)
        SELECT * FROM json_to_recordset(raised) AS r(
            account_id bigint, expires_at timestamptz, available_from timestamptz,
            remaining bigint, held bigint
        )
        ON CONFLICT (account_id, expires_at, available_from) DO UPDATE
        SET remaining = t.remaining + excluded.remaining, held = t.held + excluded.held;
    END IF;
    IF lowered IS NOT NULL THEN
        UPDATE ledger.lot_totals t
        SET remaining = t.remaining + r.remaining, held = t.held + r.held
        FROM json_to_recordset(lowered) AS r(
            account_id bigint, expires_at timestamptz, available_from timestamptz,
            remaining bigint, held bigint
        ) WHERE t.account_id = r.account_id AND t.expires_at = r.expires_at
            AND t.available_from = r.available_from;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM ledger.expect('lot_totals', json_array_length(lowered), changed);
    END IF;
END $$
"""

# What a projection's row says of the past stays; only its running figures move.
KEPT_COLUMNS = {
    "lots": ("account_id", "position", "amount", "available_from", "expires_at", "terms"),
    "holds": ("account_id", "id", "amount", "lapses_at"),
    "hold_lots": ("account_id", "hold_id", "lot", "amount"),
    "wallets": ("account_id", "unit_id", "floor"),
}
APPEND_ONLY = (
    "accounts",
    "terms",
    "entries",
    "transfers",
    "lot_uses",
    "hold_moves",
)
SEALED = ("seals", "seal_nodes", "checkpoints")


def upgrade() -> None:
    guards.create_roles()
    for schema in ("ledger", "loyalty", "vault"):
        guards.create_schema(schema)
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for function in (
        REFUSE_CHANGE,
        REFUSE_REWRITE,
        REFUSE_OVER_REVERSAL,
        READ_BOOK,
        EXPECT,
        WRITE_BOOK,
    ):
        op.execute(function)
    for table in APPEND_ONLY:
        guards.append_only(f"ledger.{table}")
    for table in SEALED:
        guards.append_only(f"ledger.{table}", writers=(guards.SEALER,))
    op.execute(
        "CREATE TRIGGER transfers_reversal BEFORE INSERT ON ledger.transfers FOR EACH ROW"
        " WHEN (NEW.reverses IS NOT NULL) EXECUTE FUNCTION ledger.refuse_over_reversal()"
    )
    op.execute("ALTER TABLE ledger.transfers ENABLE ALWAYS TRIGGER transfers_reversal")
    guards.projection("ledger.units")
    guards.projection("ledger.wallets", updates=("posted", "held", "debt", "position"))
    guards.projection("ledger.lots", updates=("remaining", "held", "expired", "open"))
    guards.projection("ledger.lot_totals", updates=("remaining", "held"), deletes=True)
    guards.projection("ledger.holds", updates=("remaining",))
    guards.projection("ledger.hold_lots", updates=("remaining",))
    op.execute(f"GRANT SELECT ON ledger.totals TO {', '.join(guards.ROLES)}")
    op.execute(f"GRANT INSERT, UPDATE ON ledger.totals TO {guards.SEALER}")
    op.execute(f"GRANT USAGE ON SEQUENCE ledger.entry_ids TO {guards.APP}")
    op.execute(f"GRANT SELECT ON SEQUENCE ledger.entry_ids TO {guards.SEALER}")
    for table, columns in KEPT_COLUMNS.items():
        _keep(table, columns)


def _keep(table: str, columns: tuple[str, ...]) -> None:
    changed = " OR ".join(f"OLD.{c} IS DISTINCT FROM NEW.{c}" for c in columns)
    op.execute(
        f"CREATE TRIGGER {table}_keep BEFORE UPDATE ON ledger.{table} FOR EACH ROW"
        f" WHEN ({changed}) EXECUTE FUNCTION ledger.refuse_rewrite()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_stay BEFORE DELETE ON ledger.{table}"
        " FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()"
    )
    op.execute(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER {table}_keep")
    op.execute(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER {table}_stay")


def downgrade() -> None:
    for schema in ("vault", "loyalty", "ledger"):
        op.execute(f"DROP SCHEMA {schema} CASCADE")
