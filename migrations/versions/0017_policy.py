"""Policy packs: what was signed and put in force."""

from alembic import op

from migrations import guards

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE loyalty.policy_packs (
    version text NOT NULL,
    jurisdiction text NOT NULL,
    effective_from timestamptz NOT NULL,
    sha256 bytea NOT NULL,
    body text NOT NULL,
    signature text NOT NULL,
    enacted_by text NOT NULL,
    enacted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_policy_packs PRIMARY KEY (version)
);
CREATE INDEX ix_policy_packs_jurisdiction_effective_from
    ON loyalty.policy_packs (jurisdiction, effective_from)
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    guards.append_only("loyalty.policy_packs")


def downgrade() -> None:
    op.execute("DROP TABLE loyalty.policy_packs")
