"""Proposals with their approvals and outcomes; more roles for those who make and decide them."""

from alembic import op

from migrations import guards

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.proposals (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    content jsonb NOT NULL,
    before jsonb NOT NULL,
    digest bytea NOT NULL,
    proposed_by bigint NOT NULL
        CONSTRAINT fk_proposals_proposed_by REFERENCES loyalty.staff (id),
    proposed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_proposals PRIMARY KEY (id),
    CONSTRAINT uq_proposals_id_proposed_by_digest_expires_at
        UNIQUE (id, proposed_by, digest, expires_at),
    CONSTRAINT ck_proposals_expires_at CHECK (expires_at > proposed_at)
);
CREATE INDEX ix_proposals_subject_type_subject_id_id
    ON loyalty.proposals (subject_type, subject_id, id);
CREATE INDEX ix_proposals_kind_id ON loyalty.proposals (kind, id);
CREATE TABLE loyalty.proposal_approvals (
    proposal_id bigint NOT NULL,
    seat text NOT NULL,
    proposed_by bigint NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    approved_by bigint NOT NULL
        CONSTRAINT fk_proposal_approvals_approved_by REFERENCES loyalty.staff (id),
    approved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    comment text,
    CONSTRAINT pk_proposal_approvals PRIMARY KEY (proposal_id, seat),
    CONSTRAINT uq_proposal_approvals_proposal_id_approved_by UNIQUE (proposal_id, approved_by),
    CONSTRAINT fk_proposal_approvals_proposal_id
        FOREIGN KEY (proposal_id, proposed_by, digest, expires_at)
        REFERENCES loyalty.proposals (id, proposed_by, digest, expires_at),
    CONSTRAINT ck_proposal_approvals_another_person CHECK (approved_by <> proposed_by),
    CONSTRAINT ck_proposal_approvals_in_time CHECK (approved_at < expires_at)
);
CREATE TABLE loyalty.proposal_outcomes (
    proposal_id bigint NOT NULL
        CONSTRAINT fk_proposal_outcomes_proposal_id REFERENCES loyalty.proposals (id),
    outcome text NOT NULL,
    ended_by bigint NOT NULL
        CONSTRAINT fk_proposal_outcomes_ended_by REFERENCES loyalty.staff (id),
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    comment text,
    result jsonb,
    CONSTRAINT pk_proposal_outcomes PRIMARY KEY (proposal_id),
    CONSTRAINT ck_proposal_outcomes_outcome
        CHECK (outcome IN ('applied', 'rejected', 'withdrawn'))
);
CREATE TABLE loyalty.proposal_states (
    proposal_id bigint NOT NULL
        CONSTRAINT fk_proposal_states_proposal_id REFERENCES loyalty.proposals (id),
    state text NOT NULL,
    approvals smallint NOT NULL,
    CONSTRAINT pk_proposal_states PRIMARY KEY (proposal_id),
    CONSTRAINT ck_proposal_states_state
        CHECK (state IN ('open', 'applied', 'rejected', 'withdrawn')),
    CONSTRAINT ck_proposal_states_approvals CHECK (approvals >= 0)
);
CREATE INDEX ix_proposal_states_state_proposal_id
    ON loyalty.proposal_states (state, proposal_id)
"""
TABLE_NAMES = ("proposal_states", "proposal_outcomes", "proposal_approvals", "proposals")

ROLES_BEFORE = (
    *("viewer", "support", "branch", "head_office", "marketing_maker", "marketing_checker"),
    *("auditor", "security_admin"),
)
NEW_ROLES = (
    *("analyst", "budget_approver", "consumer_protection", "publicity", "compliance"),
    *("coupon_operations", "partner_manager", "finance", "data_officer", "operations"),
    *("complaint_officer", "customer_manager"),
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table in TABLE_NAMES[1:]:
        guards.append_only(f"loyalty.{table}")
    guards.projection("loyalty.proposal_states", updates=("state", "approvals"))
    _allow_roles((*ROLES_BEFORE, *NEW_ROLES))


def downgrade() -> None:
    _allow_roles(ROLES_BEFORE)
    for table in TABLE_NAMES:
        op.execute(f"DROP TABLE loyalty.{table}")


def _allow_roles(roles: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{role}'" for role in roles)
    op.execute("ALTER TABLE loyalty.staff_roles DROP CONSTRAINT ck_staff_roles_role")
    op.execute(
        "ALTER TABLE loyalty.staff_roles"
        f" ADD CONSTRAINT ck_staff_roles_role CHECK (role IN ({listed}))"
    )
