"""Messages: what may be said, who asked, what was decided, what was handed over, what came back.

Requests, decisions, permits and attempts are append-only. An attempt refers to its decision by
(id, verdict, request) and its own verdict is ALLOW by CHECK: the database has no way to hold an
attempt without an ALLOW decision, nor two for one request.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base

Instant = DateTime(timezone=True)
SCHEMA = "loyalty"
PERSONAL = {"data_class": "C2"}


class TemplateRow(Base):
    """A registered template: its class and purpose never change, whoever sends by it."""

    __tablename__ = "message_templates"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("class IN ('service', 'marketing')", name="class"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text)
    class_: Mapped[str] = mapped_column("class", Text)
    purpose: Mapped[str] = mapped_column(Text)
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class TemplateVersionRow(Base):
    """What a template says, by channel and language. It stands here because it was approved."""

    __tablename__ = "template_versions"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (
        UniqueConstraint("template_id", "version"),
        CheckConstraint("version > 0", name="version"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    template_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.message_templates.id"))
    version: Mapped[int] = mapped_column(Integer)
    contents: Mapped[dict[str, Any]] = mapped_column(JSONB)
    placeholders: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    approval: Mapped[str] = mapped_column(Text)
    approved_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class ReleaseRow(Base):
    """What somebody above had approved to be sent: an opaque origin with the approved digest.

    `terms` are what the gate must know of it: channels, partners, products, separate consents.
    """

    __tablename__ = "send_releases"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("origin_kind", "origin", "digest"),
        CheckConstraint("approved_digest = digest", name="approved"),
        CheckConstraint("expires_at > starts_at", name="expires_at"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    origin_kind: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    approved_digest: Mapped[bytes] = mapped_column(LargeBinary)
    approval: Mapped[str] = mapped_column(Text)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    released_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class StopRow(Base):
    """Sending stopped or resumed: everywhere, on a channel, or of one release. The last counts."""

    __tablename__ = "sending_stops"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("scope IN ('all', 'channel', 'release')", name="scope"),
        CheckConstraint("act IN ('stop', 'resume')", name="act"),
        Index(None, "scope", "name", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    scope: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    act: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    done_by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class SendRequest(Base):
    """Somebody wants a customer told something. `filling` says what, never who."""

    __tablename__ = "send_requests"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("source", "reference"),
        CheckConstraint("channel IN ('email', 'sms', 'in_app')", name="channel"),
        CheckConstraint("language IN ('zh', 'en')", name="language"),
        CheckConstraint("expires_at > due_at", name="expires_at"),
        Index(None, "customer_id", "id"),
        Index(None, "release_id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    template_version_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.template_versions.id"))
    channel: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    filling: Mapped[dict[str, Any]] = mapped_column(JSONB)
    origin_kind: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)
    origin_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    release_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.send_releases.id"))
    zone: Mapped[str] = mapped_column(Text)
    consent_seq: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    requested_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class QueuedRequest(Base):
    """A request that waits for its decision, and until when."""

    __tablename__ = "send_queue"
    __kind__ = PROJECTION
    __table_args__ = (Index(None, "due_at", "request_id"), {"schema": SCHEMA})

    request_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.send_requests.id"), primary_key=True
    )
    due_at: Mapped[datetime] = mapped_column(Instant)


class Decision(Base):
    """What the gate decided about a request, by which rules and from which inputs."""

    __tablename__ = "decisions"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("id", "verdict", "request_id"),
        CheckConstraint("verdict IN ('ALLOW', 'DENY', 'DEFER')", name="verdict"),
        CheckConstraint("(verdict = 'ALLOW') = (primary_rule IS NULL)", name="reason"),
        CheckConstraint("(verdict = 'DEFER') = (defer_until IS NOT NULL)", name="defer_until"),
        CheckConstraint(
            "verdict <> 'ALLOW' OR num_nonnulls(content_digest, contact_digest) = 2",
            name="content",
        ),
        Index(None, "request_id"),
        Index(None, "customer_id", "id"),
        Index(None, "release_id", "primary_rule"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.send_requests.id"))
    customer_id: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(Text)
    primary_rule: Mapped[str | None] = mapped_column(Text)
    results: Mapped[dict[str, Any]] = mapped_column(JSONB)
    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB)
    input_digest: Mapped[bytes] = mapped_column(LargeBinary)
    consent_seq: Mapped[int] = mapped_column(BigInteger)
    notice: Mapped[int | None] = mapped_column(BigInteger)
    template_version_id: Mapped[int] = mapped_column(BigInteger)
    content_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    contact_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    release_id: Mapped[int | None] = mapped_column(BigInteger)
    approval: Mapped[str | None] = mapped_column(Text)
    policy_pack: Mapped[str] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    defer_until: Mapped[datetime | None] = mapped_column(Instant)


class FrequencyReservation(Base):
    """A place that a message takes in what one person may get; under the person's lock."""

    __tablename__ = "frequency_reservations"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("state IN ('RESERVED', 'COMMITTED', 'RELEASED', 'UNKNOWN')", name="state"),
        Index(None, "customer_id", "reserved_at"),
        {"schema": SCHEMA},
    )

    decision_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.decisions.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text, server_default="RESERVED")
    reserved_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class Permit(Base):
    """Leave to hand one message over, within a minute. Its attempt uses it up."""

    __tablename__ = "permits"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("decision_id"),
        UniqueConstraint("id", "decision_id", "content_digest", "expires_at"),
        CheckConstraint("expires_at <= issued_at + interval '60 seconds'", name="life"),
        Index(None, "channel", "expires_at"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    request_id: Mapped[int] = mapped_column(BigInteger)
    decision_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.decisions.id"))
    channel: Mapped[str] = mapped_column(Text)
    content_digest: Mapped[bytes] = mapped_column(LargeBinary)
    contact_digest: Mapped[bytes] = mapped_column(LargeBinary)
    mac: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class SendAttempt(Base):
    """One hand-over to a gateway: written before it begins, so that none can be forgotten."""

    __tablename__ = "send_attempts"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("request_id"),
        UniqueConstraint("permit_id"),
        UniqueConstraint("gateway", "reference"),
        CheckConstraint("verdict = 'ALLOW'", name="verdict"),
        CheckConstraint("at <= permit_expires_at", name="permit"),
        ForeignKeyConstraint(
            ["decision_id", "verdict", "request_id"],
            [
                f"{SCHEMA}.decisions.id",
                f"{SCHEMA}.decisions.verdict",
                f"{SCHEMA}.decisions.request_id",
            ],
        ),
        ForeignKeyConstraint(
            ["permit_id", "decision_id", "content_digest", "permit_expires_at"],
            [
                f"{SCHEMA}.permits.id",
                f"{SCHEMA}.permits.decision_id",
                f"{SCHEMA}.permits.content_digest",
                f"{SCHEMA}.permits.expires_at",
            ],
        ),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    decision_id: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(Text, server_default="ALLOW")
    permit_id: Mapped[int] = mapped_column(BigInteger)
    permit_expires_at: Mapped[datetime] = mapped_column(Instant)
    content_digest: Mapped[bytes] = mapped_column(LargeBinary)
    content: Mapped[bytes] = mapped_column(LargeBinary, info=PERSONAL)
    gateway: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class DeliveryEvent(Base):
    """What became of an attempt, as the gateway or the receiver told; `digest` is of what came."""

    __tablename__ = "delivery_events"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("attempt_id", "kind", "digest"),
        CheckConstraint(
            "kind IN ('accepted', 'refused', 'unknown', 'withheld', 'delivered', 'undelivered',"
            " 'bounced', 'complained', 'replied')",
            name="kind",
        ),
        Index(None, "gateway_reference", postgresql_where=text("gateway_reference <> ''")),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.send_attempts.id"))
    kind: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    gateway_reference: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class OptoutEvent(Base):
    """Somebody asked not to be written to again, by a link, a word, a bounce or a complaint."""

    __tablename__ = "optout_events"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("channel", "digest"),
        CheckConstraint("way IN ('link', 'keyword', 'bounce', 'complaint')", name="way"),
        Index(None, "customer_id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    channel: Mapped[str] = mapped_column(Text)
    contact_digest: Mapped[bytes] = mapped_column(LargeBinary)
    way: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    customer_id: Mapped[int | None] = mapped_column(BigInteger)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.send_attempts.id"))
    consent_seq: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class InboxMessage(Base):
    """A message in the customer's own inbox, sealed with the customer's key."""

    __tablename__ = "inbox_messages"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("attempt_id"),
        Index(None, "customer_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.send_attempts.id"))
    title: Mapped[bytes] = mapped_column(LargeBinary, info=PERSONAL)
    body: Mapped[bytes] = mapped_column(LargeBinary, info=PERSONAL)
    class_: Mapped[str] = mapped_column("class", Text)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class InboxRead(Base):
    """The customer opened a message of the inbox."""

    __tablename__ = "inbox_reads"
    __kind__ = APPEND_ONLY
    __table_args__ = ({"schema": SCHEMA},)

    message_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.inbox_messages.id"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class WebhookRow(Base):
    """An address of the bank's or a partner's that is told of events. `owner` is empty for us."""

    __tablename__ = "webhooks"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    opened_by: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
    failing_since: Mapped[datetime | None] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)
    disabled_reason: Mapped[str | None] = mapped_column(Text)


class WebhookSecretRow(Base):
    """One of an endpoint's secrets: the nonce from which, with a key outside, it is made."""

    __tablename__ = "webhook_secrets"
    __kind__ = PROJECTION
    __table_args__ = (Index(None, "webhook_id"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.webhooks.id"))
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
    retired_at: Mapped[datetime | None] = mapped_column(Instant)


class WebhookDelivery(Base):
    """One event that one endpoint is to be told of, and how far that is."""

    __tablename__ = "webhook_deliveries"
    __kind__ = PROJECTION
    __table_args__ = (
        UniqueConstraint("webhook_id", "event"),
        CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name="state"),
        Index(None, "webhook_id", "due_at", postgresql_where=text("state = 'waiting'")),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.webhooks.id"))
    event: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    sequence: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    happened_at: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(Text, server_default="waiting")
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
    leased_until: Mapped[datetime | None] = mapped_column(Instant)


class WebhookAttempt(Base):
    """One try to tell an endpoint: what came of it, never what it answered."""

    __tablename__ = "webhook_attempts"
    __kind__ = APPEND_ONLY
    __table_args__ = (Index(None, "delivery_id"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.webhook_deliveries.id"))
    outcome: Mapped[str] = mapped_column(Text)
    status: Mapped[int | None] = mapped_column(Integer)
    milliseconds: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
