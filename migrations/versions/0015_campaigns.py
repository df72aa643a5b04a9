"""Campaigns: versions, previews, approvals, launches, the archive, stops, and prize draws."""

from alembic import op

from migrations import guards

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ADD_UP = """
CREATE FUNCTION campaigns.add_up(counts jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog
    AS 'SELECT coalesce(sum(value::bigint), 0)::bigint FROM jsonb_each_text(counts)'
"""
TABLES = """
CREATE TABLE campaigns.campaigns (
    id bigint GENERATED ALWAYS AS IDENTITY,
    programme_id smallint NOT NULL
        CONSTRAINT fk_campaigns_programme_id REFERENCES loyalty.programmes (id),
    code text NOT NULL,
    type text NOT NULL,
    salt bytea NOT NULL,
    opened_by bigint NOT NULL CONSTRAINT fk_campaigns_opened_by REFERENCES loyalty.staff (id),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_campaigns PRIMARY KEY (id),
    CONSTRAINT uq_campaigns_programme_id_code UNIQUE (programme_id, code),
    CONSTRAINT ck_campaigns_type CHECK (type IN
        ('service', 'points_bonus', 'coupon', 'prize_draw', 'product_information')),
    CONSTRAINT ck_campaigns_salt CHECK (length(salt) = 16)
);
CREATE TABLE campaigns.versions (
    campaign_id bigint NOT NULL
        CONSTRAINT fk_versions_campaign_id REFERENCES campaigns.campaigns (id),
    version integer NOT NULL,
    document jsonb NOT NULL,
    digest bytea NOT NULL,
    findings jsonb NOT NULL,
    pack text NOT NULL,
    saved_by bigint NOT NULL CONSTRAINT fk_versions_saved_by REFERENCES loyalty.staff (id),
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_versions PRIMARY KEY (campaign_id, version),
    CONSTRAINT uq_versions_campaign_id_version_digest UNIQUE (campaign_id, version, digest),
    CONSTRAINT ck_versions_version CHECK (version > 0)
);
CREATE TABLE campaigns.states (
    campaign_id bigint NOT NULL
        CONSTRAINT fk_states_campaign_id REFERENCES campaigns.campaigns (id),
    version integer NOT NULL,
    state text NOT NULL,
    CONSTRAINT pk_states PRIMARY KEY (campaign_id),
    CONSTRAINT ck_states_state CHECK (state IN
        ('draft', 'approved', 'running', 'stopped', 'ended'))
);
CREATE TABLE campaigns.previews (
    id bigint GENERATED ALWAYS AS IDENTITY,
    campaign_id bigint NOT NULL,
    version integer NOT NULL,
    digest bytea NOT NULL,
    pack text NOT NULL,
    as_of timestamptz NOT NULL,
    asked_by bigint CONSTRAINT fk_previews_asked_by REFERENCES loyalty.staff (id),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_previews PRIMARY KEY (id),
    CONSTRAINT uq_previews_id_campaign_id_version_digest
        UNIQUE (id, campaign_id, version, digest),
    CONSTRAINT fk_previews_campaign_id FOREIGN KEY (campaign_id, version, digest)
        REFERENCES campaigns.versions (campaign_id, version, digest)
);
CREATE INDEX ix_previews_campaign_id_id ON campaigns.previews (campaign_id, id);
CREATE TABLE campaigns.preview_members (
    preview_id bigint NOT NULL,
    customer_id bigint NOT NULL,
    outcome text NOT NULL,
    arm text NOT NULL,
    channel text NOT NULL,
    primary_rule text,
    rules text[] NOT NULL,
    CONSTRAINT pk_preview_members PRIMARY KEY (preview_id, customer_id),
    CONSTRAINT ck_preview_members_outcome CHECK (outcome IN
        ('sendable', 'control', 'deferred', 'excluded'))
);
CREATE TABLE campaigns.preview_totals (
    preview_id bigint NOT NULL
        CONSTRAINT fk_preview_totals_preview_id REFERENCES campaigns.previews (id),
    total bigint NOT NULL,
    sendable bigint NOT NULL,
    control bigint NOT NULL,
    deferred bigint NOT NULL,
    excluded jsonb NOT NULL,
    fired jsonb NOT NULL,
    arms jsonb NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_preview_totals PRIMARY KEY (preview_id),
    CONSTRAINT ck_preview_totals_adds_up
        CHECK (total = sendable + control + deferred + campaigns.add_up(excluded)),
    CONSTRAINT ck_preview_totals_counts CHECK (least(total, sendable, control, deferred) >= 0)
);
CREATE TABLE campaigns.approvals (
    id bigint GENERATED ALWAYS AS IDENTITY,
    campaign_id bigint NOT NULL,
    version integer NOT NULL,
    digest bytea NOT NULL,
    bundle bytea NOT NULL,
    preview_id bigint NOT NULL,
    proposal_id bigint NOT NULL
        CONSTRAINT fk_approvals_proposal_id REFERENCES loyalty.proposals (id),
    pack text NOT NULL,
    approved_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_approvals PRIMARY KEY (id),
    CONSTRAINT uq_approvals_proposal_id UNIQUE (proposal_id),
    CONSTRAINT uq_approvals_id_campaign_id_version_digest
        UNIQUE (id, campaign_id, version, digest),
    CONSTRAINT fk_approvals_preview_id FOREIGN KEY (preview_id, campaign_id, version, digest)
        REFERENCES campaigns.previews (id, campaign_id, version, digest),
    CONSTRAINT ck_approvals_expires_at CHECK (expires_at > approved_at)
);
CREATE INDEX ix_approvals_campaign_id_id ON campaigns.approvals (campaign_id, id);
CREATE TABLE campaigns.launches (
    id bigint GENERATED ALWAYS AS IDENTITY,
    campaign_id bigint NOT NULL,
    version integer NOT NULL,
    digest bytea NOT NULL,
    approval_id bigint NOT NULL,
    preview_id bigint NOT NULL,
    means jsonb NOT NULL,
    launched_by bigint NOT NULL CONSTRAINT fk_launches_launched_by REFERENCES loyalty.staff (id),
    launched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_launches PRIMARY KEY (id),
    CONSTRAINT uq_launches_campaign_id UNIQUE (campaign_id),
    CONSTRAINT fk_launches_approval_id FOREIGN KEY (approval_id, campaign_id, version, digest)
        REFERENCES campaigns.approvals (id, campaign_id, version, digest),
    CONSTRAINT fk_launches_preview_id FOREIGN KEY (preview_id, campaign_id, version, digest)
        REFERENCES campaigns.previews (id, campaign_id, version, digest)
);
CREATE TABLE campaigns.advertisements (
    launch_id bigint NOT NULL
        CONSTRAINT fk_advertisements_launch_id REFERENCES campaigns.launches (id),
    arm text NOT NULL,
    channel text NOT NULL,
    language text NOT NULL,
    content jsonb NOT NULL,
    digest bytea NOT NULL,
    review text NOT NULL,
    kept_until timestamptz NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_advertisements PRIMARY KEY (launch_id, arm, channel, language)
);
CREATE TABLE campaigns.members (
    launch_id bigint NOT NULL CONSTRAINT fk_members_launch_id REFERENCES campaigns.launches (id),
    customer_id bigint NOT NULL,
    arm text NOT NULL,
    channel text NOT NULL,
    refusal text,
    enrolled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_members PRIMARY KEY (launch_id, customer_id)
);
CREATE INDEX ix_members_customer_id_launch_id ON campaigns.members (customer_id, launch_id);
CREATE TABLE campaigns.stops (
    campaign_id bigint NOT NULL
        CONSTRAINT fk_stops_campaign_id REFERENCES campaigns.campaigns (id),
    number integer NOT NULL,
    act text NOT NULL,
    reason text NOT NULL,
    done_by bigint NOT NULL CONSTRAINT fk_stops_done_by REFERENCES loyalty.staff (id),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_stops PRIMARY KEY (campaign_id, number),
    CONSTRAINT ck_stops_act CHECK (act IN ('stop', 'resume'))
);
CREATE TABLE campaigns.product_facts (
    code text NOT NULL,
    version integer NOT NULL,
    facts jsonb NOT NULL,
    digest bytea NOT NULL,
    proposal_id bigint NOT NULL
        CONSTRAINT fk_product_facts_proposal_id REFERENCES loyalty.proposals (id),
    effective_from timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_product_facts PRIMARY KEY (code, version),
    CONSTRAINT ck_product_facts_version CHECK (version > 0)
);
CREATE TABLE campaigns.prize_notices (
    launch_id bigint NOT NULL
        CONSTRAINT fk_prize_notices_launch_id REFERENCES campaigns.launches (id),
    notice jsonb NOT NULL,
    digest bytea NOT NULL,
    commitment text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_prize_notices PRIMARY KEY (launch_id)
);
CREATE TABLE campaigns.tickets (
    launch_id bigint NOT NULL CONSTRAINT fk_tickets_launch_id REFERENCES campaigns.launches (id),
    customer_id bigint NOT NULL
        CONSTRAINT fk_tickets_customer_id REFERENCES loyalty.customers (id),
    ticket text NOT NULL,
    CONSTRAINT pk_tickets PRIMARY KEY (launch_id, customer_id),
    CONSTRAINT uq_tickets_launch_id_ticket UNIQUE (launch_id, ticket)
);
CREATE TABLE campaigns.draws (
    launch_id bigint NOT NULL
        CONSTRAINT fk_draws_launch_id REFERENCES campaigns.prize_notices (launch_id),
    seed bytea NOT NULL,
    tickets bigint NOT NULL,
    tickets_digest text NOT NULL,
    drawn_by bigint NOT NULL CONSTRAINT fk_draws_drawn_by REFERENCES loyalty.staff (id),
    drawn_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_draws PRIMARY KEY (launch_id),
    CONSTRAINT ck_draws_seed CHECK (length(seed) = 32)
);
CREATE TABLE campaigns.winners (
    launch_id bigint NOT NULL
        CONSTRAINT fk_winners_launch_id REFERENCES campaigns.draws (launch_id),
    ticket text NOT NULL,
    place integer NOT NULL,
    prize smallint NOT NULL,
    CONSTRAINT pk_winners PRIMARY KEY (launch_id, ticket),
    CONSTRAINT uq_winners_launch_id_place UNIQUE (launch_id, place),
    CONSTRAINT fk_winners_launch_id_ticket FOREIGN KEY (launch_id, ticket)
        REFERENCES campaigns.tickets (launch_id, ticket)
);
CREATE TABLE campaigns.gifts (
    launch_id bigint NOT NULL,
    ticket text NOT NULL,
    gift text,
    refusal text,
    given_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_gifts PRIMARY KEY (launch_id, ticket),
    CONSTRAINT fk_gifts_launch_id FOREIGN KEY (launch_id, ticket)
        REFERENCES campaigns.winners (launch_id, ticket),
    CONSTRAINT ck_gifts_gift CHECK (num_nonnulls(gift, refusal) = 1)
);
CREATE TABLE campaigns.clicks (
    id bigint GENERATED ALWAYS AS IDENTITY,
    launch_id bigint NOT NULL CONSTRAINT fk_clicks_launch_id REFERENCES campaigns.launches (id),
    arm text NOT NULL,
    customer_id bigint,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_clicks PRIMARY KEY (id),
    CONSTRAINT uq_clicks_launch_id_customer_id UNIQUE (launch_id, customer_id)
)
"""
TABLE_NAMES = (
    *(
        "clicks",
        "gifts",
        "winners",
        "draws",
        "tickets",
        "prize_notices",
        "product_facts",
        "stops",
        "members",
    ),
    *("advertisements", "launches", "approvals", "preview_totals", "preview_members"),
    *("previews", "states", "versions", "campaigns"),
)


def upgrade() -> None:
    guards.create_schema("campaigns")
    op.execute(ADD_UP)
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table in TABLE_NAMES:
        if table != "states":
            guards.append_only(f"campaigns.{table}")
    guards.projection("campaigns.states", updates=("version", "state"))


def downgrade() -> None:
    for table in TABLE_NAMES:
        op.execute(f"DROP TABLE campaigns.{table}")
    op.execute("DROP FUNCTION campaigns.add_up")
    op.execute("DROP SCHEMA campaigns")
