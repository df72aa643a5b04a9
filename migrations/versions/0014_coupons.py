"""Coupons and rewards: series with their terms, coupons, tills' acts, the catalogue and claims."""

from alembic import op

from migrations import guards

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.coupon_guesses (
    minute timestamptz NOT NULL,
    partner_id bigint NOT NULL,
    guesses integer NOT NULL,
    CONSTRAINT pk_coupon_guesses PRIMARY KEY (minute, partner_id)
);
CREATE TABLE loyalty.coupon_series (
    id integer GENERATED ALWAYS AS IDENTITY,
    programme_id smallint NOT NULL,
    code text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_coupon_series PRIMARY KEY (id),
    CONSTRAINT uq_coupon_series_programme_id_code UNIQUE (programme_id, code),
    CONSTRAINT fk_coupon_series_programme_id FOREIGN KEY (programme_id)
        REFERENCES loyalty.programmes (id)
);
CREATE TABLE loyalty.redemptions (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    programme_id smallint NOT NULL,
    partner_id bigint NOT NULL,
    outlet_id bigint NOT NULL,
    client text NOT NULL,
    reference text NOT NULL,
    digest bytea NOT NULL,
    follows bigint,
    basket bigint NOT NULL,
    discount bigint NOT NULL,
    worth bigint NOT NULL,
    ours bigint NOT NULL,
    reason text,
    lapses_at timestamptz,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_redemptions PRIMARY KEY (id),
    CONSTRAINT fk_redemptions_outlet_id FOREIGN KEY (outlet_id, partner_id)
        REFERENCES loyalty.outlets (id, partner_id),
    CONSTRAINT uq_redemptions_partner_id_kind_reference UNIQUE (partner_id, kind, reference),
    CONSTRAINT uq_redemptions_follows UNIQUE (follows),
    CONSTRAINT ck_redemptions_kind
        CHECK (kind IN ('hold', 'release', 'redemption', 'void', 'reversal', 'late')),
    CONSTRAINT ck_redemptions_discount CHECK (discount >= 0 AND discount <= basket),
    CONSTRAINT ck_redemptions_ours CHECK (ours >= 0 AND ours <= worth),
    CONSTRAINT fk_redemptions_programme_id FOREIGN KEY (programme_id)
        REFERENCES loyalty.programmes (id),
    CONSTRAINT fk_redemptions_follows FOREIGN KEY (follows) REFERENCES loyalty.redemptions (id)
);
CREATE INDEX ix_redemptions_outlet_id_id ON loyalty.redemptions (outlet_id, id);
CREATE TABLE loyalty.rewards (
    id integer GENERATED ALWAYS AS IDENTITY,
    programme_id smallint NOT NULL,
    code text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_rewards PRIMARY KEY (id),
    CONSTRAINT uq_rewards_programme_id_code UNIQUE (programme_id, code),
    CONSTRAINT fk_rewards_programme_id FOREIGN KEY (programme_id)
        REFERENCES loyalty.programmes (id)
);
CREATE TABLE loyalty.coupon_batches (
    id bigint GENERATED ALWAYS AS IDENTITY,
    series_id integer NOT NULL,
    version integer NOT NULL,
    reference text NOT NULL,
    size bigint NOT NULL,
    made_by text NOT NULL,
    run_id bigint NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_coupon_batches PRIMARY KEY (id),
    CONSTRAINT uq_coupon_batches_series_id_reference UNIQUE (series_id, reference),
    CONSTRAINT ck_coupon_batches_size CHECK (size > 0),
    CONSTRAINT fk_coupon_batches_series_id FOREIGN KEY (series_id)
        REFERENCES loyalty.coupon_series (id),
    CONSTRAINT fk_coupon_batches_run_id FOREIGN KEY (run_id) REFERENCES loyalty.runs (id)
);
CREATE TABLE loyalty.coupon_counters (
    series_id integer NOT NULL,
    counted text NOT NULL,
    whose text NOT NULL,
    period text NOT NULL,
    used bigint NOT NULL DEFAULT 0,
    quota bigint NOT NULL,
    CONSTRAINT pk_coupon_counters PRIMARY KEY (series_id, counted, whose, period),
    CONSTRAINT ck_coupon_counters_counted CHECK (counted IN ('issued', 'used')),
    CONSTRAINT ck_coupon_counters_used CHECK (used >= 0),
    CONSTRAINT ck_coupon_counters_quota CHECK (used <= quota),
    CONSTRAINT fk_coupon_counters_series_id FOREIGN KEY (series_id)
        REFERENCES loyalty.coupon_series (id)
);
CREATE TABLE loyalty.coupon_halts (
    series_id integer NOT NULL,
    number integer NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_coupon_halts PRIMARY KEY (series_id, number),
    CONSTRAINT ck_coupon_halts_kind CHECK (kind IN ('halt', 'resume')),
    CONSTRAINT fk_coupon_halts_series_id FOREIGN KEY (series_id)
        REFERENCES loyalty.coupon_series (id)
);
CREATE TABLE loyalty.coupon_terms (
    series_id integer NOT NULL,
    version integer NOT NULL,
    effective_from timestamptz NOT NULL,
    document jsonb NOT NULL,
    digest bytea NOT NULL,
    agreed_as text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_coupon_terms PRIMARY KEY (series_id, version),
    CONSTRAINT ck_coupon_terms_version CHECK (version > 0),
    CONSTRAINT fk_coupon_terms_series_id FOREIGN KEY (series_id)
        REFERENCES loyalty.coupon_series (id)
);
CREATE TABLE loyalty.reward_counters (
    reward_id integer NOT NULL,
    whose text NOT NULL,
    used bigint NOT NULL DEFAULT 0,
    quota bigint NOT NULL,
    CONSTRAINT pk_reward_counters PRIMARY KEY (reward_id, whose),
    CONSTRAINT ck_reward_counters_used CHECK (used >= 0),
    CONSTRAINT ck_reward_counters_quota CHECK (used <= quota),
    CONSTRAINT fk_reward_counters_reward_id FOREIGN KEY (reward_id)
        REFERENCES loyalty.rewards (id)
);
CREATE TABLE loyalty.reward_stocks (
    reward_id integer NOT NULL,
    stock bigint NOT NULL,
    claimed bigint NOT NULL DEFAULT 0,
    CONSTRAINT pk_reward_stocks PRIMARY KEY (reward_id),
    CONSTRAINT ck_reward_stocks_claimed CHECK (claimed >= 0),
    CONSTRAINT ck_reward_stocks_stock CHECK (claimed <= stock),
    CONSTRAINT fk_reward_stocks_reward_id FOREIGN KEY (reward_id) REFERENCES loyalty.rewards (id)
);
CREATE TABLE loyalty.reward_terms (
    reward_id integer NOT NULL,
    version integer NOT NULL,
    effective_from timestamptz NOT NULL,
    document jsonb NOT NULL,
    digest bytea NOT NULL,
    agreed_as text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_reward_terms PRIMARY KEY (reward_id, version),
    CONSTRAINT ck_reward_terms_version CHECK (version > 0),
    CONSTRAINT fk_reward_terms_reward_id FOREIGN KEY (reward_id) REFERENCES loyalty.rewards (id)
);
CREATE TABLE loyalty.coupon_exports (
    batch_id bigint NOT NULL,
    mark text NOT NULL,
    given_to text NOT NULL,
    given_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_coupon_exports PRIMARY KEY (batch_id),
    CONSTRAINT fk_coupon_exports_batch_id FOREIGN KEY (batch_id)
        REFERENCES loyalty.coupon_batches (id)
);
CREATE TABLE loyalty.coupons (
    id bigint GENERATED ALWAYS AS IDENTITY,
    series_id integer NOT NULL,
    version integer NOT NULL,
    customer_id bigint,
    batch_id bigint,
    source text NOT NULL,
    reference text NOT NULL,
    digest bytea NOT NULL,
    sealed bytea NOT NULL,
    worth bigint NOT NULL,
    reserved bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'issued',
    seq integer NOT NULL DEFAULT 0,
    remaining bigint NOT NULL,
    held_by bigint,
    held_until timestamptz,
    CONSTRAINT pk_coupons PRIMARY KEY (id),
    CONSTRAINT fk_coupons_series_id FOREIGN KEY (series_id, version)
        REFERENCES loyalty.coupon_terms (series_id, version),
    CONSTRAINT uq_coupons_digest UNIQUE (digest),
    CONSTRAINT uq_coupons_series_id_source_reference UNIQUE (series_id, source, reference),
    CONSTRAINT ck_coupons_state
        CHECK (state IN ('issued', 'held', 'redeemed', 'voided', 'expired', 'withdrawn')),
    CONSTRAINT ck_coupons_remaining CHECK (remaining >= 0 AND remaining <= worth),
    CONSTRAINT ck_coupons_reserved CHECK (reserved >= 0 AND reserved <= worth),
    CONSTRAINT ck_coupons_valid_until CHECK (valid_until > valid_from),
    CONSTRAINT ck_coupons_held_by CHECK ((state = 'held') = (held_by IS NOT NULL)),
    CONSTRAINT ck_coupons_held_until CHECK ((state = 'held') = (held_until IS NOT NULL)),
    CONSTRAINT fk_coupons_customer_id FOREIGN KEY (customer_id) REFERENCES loyalty.customers (id),
    CONSTRAINT fk_coupons_batch_id FOREIGN KEY (batch_id) REFERENCES loyalty.coupon_batches (id),
    CONSTRAINT fk_coupons_held_by FOREIGN KEY (held_by) REFERENCES loyalty.redemptions (id)
) WITH (fillfactor = 90);
CREATE INDEX ix_coupons_customer_id_id
    ON loyalty.coupons (customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX ix_coupons_batch_id_id
    ON loyalty.coupons (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX ix_coupons_valid_until
    ON loyalty.coupons (valid_until) WHERE state IN ('issued', 'held');
CREATE INDEX ix_coupons_valid_until_used
    ON loyalty.coupons (valid_until) WHERE state = 'redeemed' AND reserved > 0;
CREATE TABLE loyalty.coupon_events (
    coupon_id bigint NOT NULL,
    seq integer NOT NULL,
    kind text NOT NULL,
    redemption_id bigint,
    discount bigint NOT NULL DEFAULT 0,
    worth bigint NOT NULL DEFAULT 0,
    ours bigint NOT NULL DEFAULT 0,
    remaining bigint NOT NULL,
    use_day date,
    reason text,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_coupon_events PRIMARY KEY (coupon_id, seq),
    CONSTRAINT ck_coupon_events_kind
        CHECK (kind IN ('held', 'released', 'redeemed', 'restored', 'voided', 'expired',
            'withdrawn', 'freed')),
    CONSTRAINT ck_coupon_events_seq CHECK (seq > 0),
    CONSTRAINT ck_coupon_events_ours CHECK (ours <= worth),
    CONSTRAINT fk_coupon_events_coupon_id FOREIGN KEY (coupon_id) REFERENCES loyalty.coupons (id),
    CONSTRAINT fk_coupon_events_redemption_id FOREIGN KEY (redemption_id)
        REFERENCES loyalty.redemptions (id)
);
CREATE INDEX ix_coupon_events_redemption_id_coupon_id
    ON loyalty.coupon_events (redemption_id, coupon_id);
CREATE TABLE loyalty.reward_claims (
    id bigint GENERATED ALWAYS AS IDENTITY,
    reward_id integer NOT NULL,
    version integer NOT NULL,
    customer_id bigint NOT NULL,
    source text NOT NULL,
    reference text NOT NULL,
    tier text NOT NULL,
    points bigint NOT NULL,
    cash bigint NOT NULL,
    points_line bigint,
    coupon_id bigint,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_reward_claims PRIMARY KEY (id),
    CONSTRAINT uq_reward_claims_customer_id_source_reference
        UNIQUE (customer_id, source, reference),
    CONSTRAINT fk_reward_claims_reward_id FOREIGN KEY (reward_id, version)
        REFERENCES loyalty.reward_terms (reward_id, version),
    CONSTRAINT uq_reward_claims_coupon_id UNIQUE (coupon_id),
    CONSTRAINT ck_reward_claims_points CHECK (points >= 0),
    CONSTRAINT ck_reward_claims_cash CHECK (cash >= 0),
    CONSTRAINT fk_reward_claims_customer_id FOREIGN KEY (customer_id)
        REFERENCES loyalty.customers (id),
    CONSTRAINT fk_reward_claims_coupon_id FOREIGN KEY (coupon_id) REFERENCES loyalty.coupons (id)
);
CREATE TABLE loyalty.reward_outcomes (
    claim_id bigint NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_reward_outcomes PRIMARY KEY (claim_id),
    CONSTRAINT ck_reward_outcomes_kind CHECK (kind IN ('delivered', 'cancelled')),
    CONSTRAINT fk_reward_outcomes_claim_id FOREIGN KEY (claim_id)
        REFERENCES loyalty.reward_claims (id)
)
"""

# In the order in which one refers to the other.
TABLE_NAMES = (
    "coupon_guesses",
    "coupon_series",
    "redemptions",
    "rewards",
    "coupon_batches",
    "coupon_counters",
    "coupon_halts",
    "coupon_terms",
    "reward_counters",
    "reward_stocks",
    "reward_terms",
    "coupon_exports",
    "coupons",
    "coupon_events",
    "reward_claims",
    "reward_outcomes",
)
CHANGING = {
    "coupons": (
        "state",
        "seq",
        "remaining",
        "reserved",
        "held_by",
        "held_until",
    ),
    "coupon_counters": (
        "used",
        "quota",
    ),
    "coupon_guesses": ("guesses",),
    "reward_stocks": (
        "stock",
        "claimed",
    ),
    "reward_counters": (
        "used",
        "quota",
    ),
}

# A coupon takes one step at a time, along the moves that there are, and its event is that step.
GUARD = """
CREATE FUNCTION loyalty.guard_coupon() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> OLD.seq + 1 THEN
        RAISE EXCEPTION 'coupon %: step % after step %', OLD.id, NEW.seq, OLD.seq
            USING ERRCODE = 'serialization_failure';
    END IF;
    IF OLD.state || '>' || NEW.state NOT IN (
        'expired>expired', 'held>expired', 'held>held', 'held>issued', 'held>redeemed',
        'held>voided', 'held>withdrawn', 'issued>expired', 'issued>held', 'issued>issued',
        'issued>redeemed', 'issued>voided', 'issued>withdrawn', 'redeemed>issued',
        'redeemed>redeemed', 'voided>voided', 'withdrawn>withdrawn'
    ) THEN
        RAISE EXCEPTION 'coupon %: from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER coupons_guard BEFORE UPDATE ON loyalty.coupons
    FOR EACH ROW EXECUTE FUNCTION loyalty.guard_coupon()
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    op.execute(GUARD)
    op.execute(TRIGGER)
    op.execute("ALTER TABLE loyalty.coupons ENABLE ALWAYS TRIGGER coupons_guard")
    for table in TABLE_NAMES:
        if table in CHANGING:
            is_counted = table == "coupon_guesses"  # old minutes are swept away
            guards.projection(f"loyalty.{table}", updates=CHANGING[table], deletes=is_counted)
        else:
            guards.append_only(f"loyalty.{table}")


def downgrade() -> None:
    op.execute("DROP TRIGGER coupons_guard ON loyalty.coupons")
    op.execute("DROP FUNCTION loyalty.guard_coupon()")
    for table in reversed(TABLE_NAMES):
        op.execute(f"DROP TABLE loyalty.{table}")
