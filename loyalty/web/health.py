"""Whether this process is alive, whether it can serve, and what it has counted.

Redis only says "look now", so the service is ready without it, if slower to react.
"""

import hmac
from functools import cache

import redis
import structlog
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

import migrations
from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.web import metrics
from loyalty.web.access import Access
from loyalty.web.endpoints import page
from loyalty.web.errors import NotFound, Refused
from loyalty.web.failures import describe_failure

blueprint = Blueprint("health", __name__)
log = structlog.get_logger("loyalty.web.health")

PATIENCE = 1.0  # seconds that Redis gets to answer


@page(
    blueprint,
    "GET",
    "/livez",
    access=Access.public(),
    summary=("进程是否存活", "Whether the process is alive"),
)
def get_livez() -> dict[str, str]:
    """Answer without looking at anything else."""
    return {"status": "alive"}


@page(
    blueprint,
    "GET",
    "/readyz",
    access=Access.public(),
    summary=("能否提供服务", "Whether requests can be served"),
)
def get_readyz() -> tuple[dict[str, str | bool], int]:
    """Answer 200 where PostgreSQL answers and its shape is the code's; else 503."""
    database, shape = _look_at_postgres()
    doorbell = "up" if _redis_answers() else "down"
    ready = database == "up" and shape == "current"
    states: dict[str, str | bool] = {
        "status": "ready" if ready else "not ready",
        "postgresql": database,
        "migrations": shape,
        "redis": doorbell,
        "degraded": doorbell == "down",
    }
    return states, 200 if ready else 503


@page(
    blueprint,
    "GET",
    "/metrics",
    access=Access.public(),
    summary=("Prometheus 指标", "Numbers for Prometheus"),
)
def get_metrics() -> Response:
    """Answer the numbers to whoever shows METRICS_TOKEN; without that setting there is nothing."""
    token = settings().metrics_token
    if not token:
        raise NotFound
    shown = request.headers.get("Authorization", "")
    if not hmac.compare_digest(shown.encode(), f"Bearer {token}".encode()):
        raise Refused("unauthenticated")
    return Response(metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _look_at_postgres() -> tuple[str, str]:
    try:
        with transaction() as session:
            at = session.scalars(text("SELECT version_num FROM alembic_version")).all()
    except SQLAlchemyError as error:
        failure = describe_failure(error, 0)
        log.warning("not_ready", **failure)
        # 42P01: the database answers, but nothing was ever migrated in it.
        return ("up", "missing") if failure["sqlstate"] == "42P01" else ("down", "unknown")
    return "up", "current" if list(at) == _newest_step() else "other"


@cache
def _newest_step() -> list[str]:
    return ScriptDirectory(str(migrations.FOLDER)).get_heads()


def _redis_answers() -> bool:
    try:
        return bool(_redis(settings().redis_url).ping())
    except redis.RedisError as error:
        log.warning("redis_down", **describe_failure(error, 0))
        return False


@cache
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
