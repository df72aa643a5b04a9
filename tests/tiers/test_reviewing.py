"""A review comes to every member once, can stop and go on, and can be tried without effect."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from loyalty import outbox, programmes, tiers
from loyalty.commands import main
from loyalty.database import transaction
from loyalty.outbox import jobs as outbox_jobs
from loyalty.outbox import registry
from loyalty.tiers import jobs, reviews
from tests.servers import Database
from tests.tiers.conftest import TIERS, World, build_world, post_status, tier_of

FALLEN = 7


@pytest.fixture
def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """Twelve members in chunks of five; seven were lifted by points that are taken back since."""
    monkeypatch.setattr(reviews, "CHUNK", 5)
    made = build_world(members=12)
    with transaction() as session:
        for member in made.members[:FALLEN]:
            post_status(session, made, member, 1_000)
        tiers.requalify(session, made.programme, made.members, lambda _: {"kind": "purchase"})
        session.execute(text("UPDATE loyalty.tier_states SET grace_until = now()"))
    with transaction() as session:
        for member in made.members[:FALLEN]:
            session.execute(
                text("UPDATE ledger.lot_totals SET remaining = 1 WHERE account_id = :account"),
                {"account": member.status_wallet},
            )
    return made


def changes() -> list[str]:
    with transaction() as session:
        return list(session.scalars(text("SELECT reason FROM loyalty.tier_changes ORDER BY id")))


def test_a_run_reviews_every_member_once(world: World) -> None:
    with transaction() as session:
        number = tiers.start_review(session, world.programme, "staff:1")
    outbox_jobs.work(reviews.KIND)
    with transaction() as session:
        found = session.execute(
            text("SELECT state, total, done, chunks FROM loyalty.runs WHERE id = :id"),
            {"id": number},
        ).one()
    assert tuple(found) == ("done", 12, 12, 4)
    assert changes().count("downgraded") == FALLEN
    assert {tier_of(world, member) for member in world.members} == {"standard"}


def test_reviewing_again_changes_nothing(world: World) -> None:
    for _ in range(2):
        with transaction() as session:
            tiers.start_review(session, world.programme, "staff:1")
        outbox_jobs.work(reviews.KIND)
    assert changes().count("downgraded") == FALLEN


def test_a_dry_run_counts_and_changes_nothing(world: World) -> None:
    result = CliRunner().invoke(main, ["tiers", "review", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "vip: 12 members, 7 would change." in result.output
    assert "downgraded: 7" in result.output
    assert "downgraded" not in changes()


def test_the_command_reviews_here_or_starts_a_run(world: World) -> None:
    result = CliRunner().invoke(main, ["tiers", "review", "--programme", "vip"])
    assert "is queued" in result.output
    assert "downgraded" not in changes()
    result = CliRunner().invoke(main, ["tiers", "review", "--here"])
    assert "vip: 12 members, 7 changed." in result.output
    assert changes().count("downgraded") == FALLEN


def test_a_review_is_due_every_day_for_each_programme_with_a_ladder(world: World) -> None:
    assert registry.schedules()["tiers.review-due"] == outbox.Daily(hour=1)
    with transaction() as session:
        programmes.open_programme(session, "bare", name_zh="无", name_en="Bare")
    with transaction() as session:
        event = registry.Event(
            1,
            "tiers.review-due",
            "schedule:x",
            1,
            {},
            datetime.now(UTC),
            1,
            object(),  # type: ignore[arg-type]
        )
        jobs.start_reviews(session, event)
        started = session.execute(text("SELECT kind, arguments FROM loyalty.runs")).all()
    assert [tuple(row) for row in started] == [("tiers.review", {"programme": world.programme.id})]


def test_a_review_leaves_out_who_is_no_member(world: World) -> None:
    with transaction() as session:
        assert tiers.review(session, world.programme, [999_999]) == []


def test_a_ladder_is_set_from_a_file(database: Database, tmp_path: Path) -> None:
    world = build_world(ladder=None)
    file = tmp_path / "ladder.json"
    content = {
        "tiers": [
            {"code": t.code, "name_zh": t.name_zh, "name_en": t.name_en, "threshold": t.threshold}
            for t in TIERS
        ],
        "grace_days": 30,
    }
    file.write_bytes(orjson.dumps(content))
    result = CliRunner().invoke(main, ["tiers", "set-ladder", "vip", str(file)])
    assert result.output.startswith("Version 1")
    with transaction() as session:
        ladder = tiers.ladder_in_force(session, world.programme)
    assert (ladder.tiers, ladder.grace_days) == (TIERS, 30)
    file.write_bytes(orjson.dumps({"tiers": content["tiers"], "colour": "red"}))
    assert CliRunner().invoke(main, ["tiers", "set-ladder", "vip", str(file)]).exit_code == 1
    file.write_bytes(orjson.dumps({"tiers": []}))
    refused = CliRunner().invoke(main, ["tiers", "set-ladder", "vip", str(file)])
    assert "2 to 12 tiers" in refused.output
