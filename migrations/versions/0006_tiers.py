"""Tier ladders, states and changes; applications for assignments and their decisions."""

from alembic import op

from migrations import guards

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.tier_ladders (
    programme_id smallint NOT NULL
        CONSTRAINT fk_tier_ladders_programme_id REFERENCES loyalty.programmes (id),
    version integer NOT NULL,
    effective_from timestamptz NOT NULL,
    window_kind text NOT NULL,
    window_months smallint NOT NULL,
    grace_days smallint NOT NULL,
    downgrade text NOT NULL,
    tiers jsonb NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_tier_ladders PRIMARY KEY (programme_id, version),
    CONSTRAINT ck_tier_ladders_version CHECK (version > 0),
    CONSTRAINT ck_tier_ladders_window CHECK (
        window_kind IN ('rolling', 'calendar', 'anniversary')
    ),
    CONSTRAINT ck_tier_ladders_months CHECK (
        window_months > 0 AND (window_kind = 'rolling' OR window_months = 12)
    ),
    CONSTRAINT ck_tier_ladders_grace_days CHECK (grace_days >= 0),
    CONSTRAINT ck_tier_ladders_downgrade CHECK (downgrade IN ('one', 'basic'))
);
CREATE TABLE loyalty.tier_states (
    customer_id bigint NOT NULL,
    programme_id smallint NOT NULL,
    tier text NOT NULL,
    since timestamptz NOT NULL,
    source text NOT NULL,
    earned text NOT NULL,
    valid_until timestamptz,
    met bigint,
    grace_until timestamptz,
    assigned text,
    assigned_until timestamptz,
    ladder_version integer NOT NULL,
    change_id bigint NOT NULL,
    CONSTRAINT pk_tier_states PRIMARY KEY (customer_id, programme_id),
    CONSTRAINT fk_tier_states_customer_id FOREIGN KEY (customer_id, programme_id)
        REFERENCES loyalty.memberships (customer_id, programme_id),
    CONSTRAINT fk_tier_states_programme_id FOREIGN KEY (programme_id, ladder_version)
        REFERENCES loyalty.tier_ladders (programme_id, version),
    CONSTRAINT ck_tier_states_source CHECK (source IN ('earned', 'assigned')),
    CONSTRAINT ck_tier_states_assignment CHECK (
        (assigned IS NULL) = (assigned_until IS NULL)
    )
);
CREATE TABLE loyalty.tier_changes (
    customer_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    programme_id smallint NOT NULL,
    from_tier text NOT NULL,
    to_tier text NOT NULL,
    reason text NOT NULL,
    score bigint NOT NULL,
    threshold bigint NOT NULL,
    position bigint NOT NULL,
    ladder_version integer NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    cause jsonb NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_tier_changes PRIMARY KEY (customer_id, id),
    CONSTRAINT fk_tier_changes_customer_id FOREIGN KEY (customer_id, programme_id)
        REFERENCES loyalty.memberships (customer_id, programme_id),
    CONSTRAINT fk_tier_changes_programme_id FOREIGN KEY (programme_id, ladder_version)
        REFERENCES loyalty.tier_ladders (programme_id, version),
    CONSTRAINT ck_tier_changes_reason CHECK (
        reason IN (
            'upgraded', 'earned-tier-rose', 'renewed', 'renewal-lost', 'grace-started',
            'grace-ended-kept', 'downgraded', 'earned-tier-fell', 'assigned', 'assignment-ended'
        )
    )
);
CREATE TABLE loyalty.tier_applications (
    id bigint GENERATED ALWAYS AS IDENTITY,
    customer_id bigint NOT NULL,
    programme_id smallint NOT NULL,
    tier text NOT NULL,
    ends_on date NOT NULL,
    reason bytea NOT NULL,
    ladder_version integer NOT NULL,
    before_change bigint NOT NULL,
    applied_by bigint NOT NULL
        CONSTRAINT fk_tier_applications_applied_by REFERENCES loyalty.staff (id),
    applied_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT pk_tier_applications PRIMARY KEY (id),
    CONSTRAINT fk_tier_applications_customer_id FOREIGN KEY (customer_id, programme_id)
        REFERENCES loyalty.memberships (customer_id, programme_id),
    CONSTRAINT fk_tier_applications_programme_id FOREIGN KEY (programme_id, ladder_version)
        REFERENCES loyalty.tier_ladders (programme_id, version),
    CONSTRAINT uq_tier_applications_id_applied_by_digest_expires_at
        UNIQUE (id, applied_by, digest, expires_at),
    CONSTRAINT ck_tier_applications_expires_at CHECK (expires_at > applied_at)
);
CREATE INDEX ix_tier_applications_applied_by_id
    ON loyalty.tier_applications (applied_by, id);
CREATE TABLE loyalty.tier_decisions (
    application_id bigint NOT NULL,
    applied_by bigint NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    decision text NOT NULL,
    comment bytea NOT NULL,
    decided_by bigint NOT NULL
        CONSTRAINT fk_tier_decisions_decided_by REFERENCES loyalty.staff (id),
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_tier_decisions PRIMARY KEY (application_id),
    CONSTRAINT fk_tier_decisions_application_id
        FOREIGN KEY (application_id, applied_by, digest, expires_at)
        REFERENCES loyalty.tier_applications (id, applied_by, digest, expires_at),
    CONSTRAINT ck_tier_decisions_second_person CHECK (decided_by <> applied_by),
    CONSTRAINT ck_tier_decisions_in_time CHECK (decided_at < expires_at),
    CONSTRAINT ck_tier_decisions_decision CHECK (decision IN ('approved', 'rejected'))
);
"""


def upgrade() -> None:
    """Create the tables; of a state everything may change but whose it is."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table in ("tier_ladders", "tier_changes", "tier_applications", "tier_decisions"):
        guards.append_only(f"loyalty.{table}")
    guards.projection(
        "loyalty.tier_states",
        updates=(
            "tier",
            "since",
            "source",
            "earned",
            "valid_until",
            "met",
            "grace_until",
            "assigned",
            "assigned_until",
            "ladder_version",
            "change_id",
        ),
    )


def downgrade() -> None:
    """Drop everything that this step made."""
    for table in (
        "tier_decisions",
        "tier_applications",
        "tier_changes",
        "tier_states",
        "tier_ladders",
    ):
        op.execute(f"DROP TABLE loyalty.{table}")
