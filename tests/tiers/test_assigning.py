"""A branch applies, head office decides: two people, in time, on what both saw."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from loyalty import customers, programmes, staff, tiers, vault
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.staff.api import verify_token
from loyalty.tiers import ladders
from loyalty.tiers.api import blueprint
from loyalty.web import Caller, ids
from loyalty.web.app import create_app
from tests.servers import Database
from tests.tiers.conftest import ROLLING, TIERS, World, build_world, buy, review, tier_of

ADMIN = Caller.job("test")
NEXT_YEAR = datetime.now(ZoneInfo("Asia/Shanghai")).date() + timedelta(days=365)


@dataclass
class Bank:
    """A programme, its API, and people who may apply (`branch`), decide (`head`) or both."""

    world: World
    client: FlaskClient
    people: dict[str, int]
    sent: int = 0

    def token(self, name: str) -> str:
        return staff.issue_staff_token(self.people[name]).token

    def call(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        self.sent += 1
        response = self.client.open(
            path,
            method=method,
            json=body,
            headers={
                "Authorization": f"Bearer {token}",
                "Idempotency-Key": f"key-{self.sent}",
                "Accept-Language": "en",
            },
        )
        return response.status_code, response.get_json()

    def apply(self, name: str = "branch", **changes: object) -> tuple[int, Any]:
        body = {
            "customer_id": ids.encode("cus", self.world.member.customer_id),
            "tier": "platinum",
            "reason": "主要存款客户,拟发白金卡",
            "ends_on": NEXT_YEAR.isoformat(),
            **changes,
        }
        return self.call("POST", "/v1/tier-applications", self.token(name), body)

    def decide(
        self, made: Any, token: str, decision: str = "approve", **changes: object
    ) -> tuple[int, Any]:
        body = {"decision": decision, "comment": "同意", "digest": made["digest"], **changes}
        return self.call("POST", f"/v1/tier-applications/{made['id']}/decision", token, body)


@pytest.fixture
def bank(database: Database) -> Iterator[Bank]:
    """A bank with one customer at the bottom of the ladder."""
    world = build_world()
    people = {}
    with transaction() as session:
        unit = staff.add_unit(session, ADMIN, "branch", "西湖支行").id
        for login, roles in (
            ("branch", ["branch"]),
            ("other", ["branch"]),
            ("head", ["head_office"]),
            ("both", ["branch", "head_office"]),
        ):
            person = staff.add_staff(
                session, ADMIN, login=login, name=login, unit_id=unit, roles=roles
            )
            people[login] = person.id
    client = create_app([blueprint], verify=verify_token).test_client()
    yield Bank(world, client, people)


def problem(answer: tuple[int, Any]) -> str:
    assert answer[0] >= 400, answer
    code: str = answer[1]["type"].rpartition("/")[2]
    return code


def count(table: str) -> int:
    with transaction() as session:
        found: int = session.execute(text(f"SELECT count(*) FROM loyalty.{table}")).scalar_one()
        return found


def test_an_approved_application_assigns_the_tier_until_the_end_of_its_last_day(
    bank: Bank,
) -> None:
    status, made = bank.apply()
    assert status == 201
    assert (made["state"], made["decision"], made["reason"]) == (
        "open",
        None,
        "主要存款客户,拟发白金卡",
    )
    assert tier_of(bank.world) == "standard"
    status, decided = bank.decide(made, bank.token("head"))
    assert status == 200, decided
    assert (decided["state"], decided["decision"]["comment"]) == ("approved", "同意")
    assert decided["decision"]["by"] == ids.encode("stf", bank.people["head"])
    assert tier_of(bank.world) == "platinum"
    with transaction() as session:
        found = tiers.read_standing(session, bank.world.programme, bank.world.member)
    end = datetime(
        NEXT_YEAR.year, NEXT_YEAR.month, NEXT_YEAR.day, tzinfo=ZoneInfo("Asia/Shanghai")
    ) + timedelta(days=1)
    assert (found.source, found.assigned_until) == ("assigned", end)
    assert found.staying.points == 5_000
    assert [change.reason for change in found.history] == ["assigned"]
    with transaction() as session:
        cause = session.execute(text("SELECT cause FROM loyalty.tier_changes")).scalar_one()
    assert ids.encode("tap", cause["application"]) == made["id"]
    assert review(bank.world, end - timedelta(seconds=1)) == []
    assert review(bank.world, end) == ["assignment-ended"]
    assert tier_of(bank.world) == "standard"


def test_an_assignment_ends_on_time_even_where_no_review_has_come(
    bank: Bank, database: Database
) -> None:
    made = bank.apply()[1]
    bank.decide(made, bank.token("head"))
    with transaction() as session:
        session.execute(text("UPDATE loyalty.tier_states SET assigned_until = now()"))
    assert tier_of(bank.world) == "standard"
    with transaction() as session:
        found = tiers.read_standing(session, bank.world.programme, bank.world.member)
    assert (found.tier.code, found.source) == ("standard", "earned")


def test_an_assigned_tier_and_an_earned_one_lie_over_each_other(bank: Bank) -> None:
    bank.decide(bank.apply()[1], bank.token("head"))
    assert [change.reason for change in buy(bank.world, 1_000)] == ["earned-tier-rose"]
    assert tier_of(bank.world) == "platinum"
    assert [change.reason for change in buy(bank.world, 20_000)] == ["upgraded"]
    assert tier_of(bank.world) == "diamond"
    in_time = datetime.now(UTC) + timedelta(days=364)
    assert review(bank.world, in_time + timedelta(days=30)) == [
        "assignment-ended",
        "grace-started",
    ]


def test_a_rejected_application_changes_no_tier(bank: Bank) -> None:
    made = bank.apply()[1]
    status, decided = bank.decide(made, bank.token("head"), "reject", comment="材料不全")
    assert (status, decided["state"]) == (200, "rejected")
    assert tier_of(bank.world) == "standard"
    assert count("tier_changes") == 0
    assert problem(bank.decide(made, bank.token("head"))) == "application-decided"


def test_nobody_decides_their_own_application_whatever_token_they_use(bank: Bank) -> None:
    made = bank.apply("both")[1]
    with transaction() as session:
        client, _ = staff.add_client(session, ADMIN, "desk", [], bank.people["both"])
        other_token = staff.issue_client_token(client).token
    for token in (bank.token("both"), other_token):
        for decision in ("approve", "reject"):
            assert problem(bank.decide(made, token, decision)) == "own-application"
    assert count("tier_decisions") == 0
    assert bank.decide(made, bank.token("head"))[0] == 200


def insert_decision(url: str, **changes: object) -> None:
    """Write a decision past the code, as the database's owner could."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT id AS application_id, applied_by, digest, expires_at"
            " FROM loyalty.tier_applications"
        )
        assert row.description is not None
        names = [column.name for column in row.description]
        values = dict(zip(names, row.fetchone() or (), strict=True))
        values |= {"decision": "approved", "comment": b"x", **changes}
        columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        connection.execute(
            f"INSERT INTO loyalty.tier_decisions ({columns}) VALUES ({marks})",
            list(values.values()),
        )


def test_the_database_itself_refuses_what_the_code_would(bank: Bank, database: Database) -> None:
    bank.apply()
    head, branch = bank.people["head"], bank.people["branch"]
    for wrong, constraint in (
        ({"decided_by": branch}, "second_person"),
        ({"decided_by": branch, "applied_by": head}, "fk_tier_decisions_application_id"),
        ({"decided_by": head, "digest": b"other"}, "fk_tier_decisions_application_id"),
        ({"decided_by": head, "decided_at": "2099-01-01"}, "in_time"),
    ):
        with pytest.raises(psycopg.errors.IntegrityError, match=constraint):
            insert_decision(database.owner_url, **wrong)
    insert_decision(database.owner_url, decided_by=head)
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert_decision(database.owner_url, decided_by=head)


def test_an_application_expires_after_three_days(bank: Bank, database: Database) -> None:
    made = bank.apply()[1]
    applied, expires = (datetime.fromisoformat(made[name]) for name in ("applied_at", "expires_at"))
    assert expires - applied == timedelta(hours=72)
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("ALTER TABLE loyalty.tier_applications DISABLE TRIGGER ALL")
        connection.execute(
            "UPDATE loyalty.tier_applications SET applied_at = applied_at - interval '72 hours',"
            " expires_at = expires_at - interval '72 hours'"
        )
    assert problem(bank.decide(made, bank.token("head"))) == "application-expired"
    listed = bank.call("GET", "/v1/tier-applications?state=expired", bank.token("head"))[1]
    assert [item["id"] for item in listed["items"]] == [made["id"]]


def test_an_application_is_stale_once_the_customer_s_tier_has_moved(bank: Bank) -> None:
    made = bank.apply()[1]
    buy(bank.world, 1_000)
    assert problem(bank.decide(made, bank.token("head"))) == "application-stale"
    assert tier_of(bank.world) == "gold"
    assert bank.decide(made, bank.token("head"), "reject")[0] == 200


def test_an_application_is_stale_once_the_ladder_has_moved(bank: Bank) -> None:
    made = bank.apply()[1]
    with transaction() as session:
        cheaper = (TIERS[0], replace(TIERS[1], threshold=900), *TIERS[2:])
        ladders.create_ladder(session, bank.world.programme, replace(ROLLING, tiers=cheaper))
    assert problem(bank.decide(made, bank.token("head"))) == "application-stale"


def test_a_decision_names_what_was_seen(bank: Bank) -> None:
    made, other = bank.apply()[1], bank.apply(tier="gold")[1]
    wrong = bank.decide(made, bank.token("head"), digest=other["digest"])
    assert problem(wrong) == "digest-differs"


def test_content_changed_past_the_code_is_not_approved(bank: Bank, database: Database) -> None:
    made = bank.apply()[1]
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("ALTER TABLE loyalty.tier_applications DISABLE TRIGGER ALL")
        connection.execute("UPDATE loyalty.tier_applications SET tier = 'diamond'")
    assert problem(bank.decide(made, bank.token("head"))) == "digest-differs"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"tier": "standard"}, "unknown-tier"),
        ({"tier": "emerald"}, "unknown-tier"),
        ({"ends_on": date.today().isoformat()}, "end-out-of-range"),  # noqa: DTZ011
        ({"ends_on": (NEXT_YEAR + timedelta(days=370)).isoformat()}, "end-out-of-range"),
        ({"customer_id": "cus_0000000009999"}, "invalid-content"),
        ({"ends_on": "soon"}, "invalid-content"),
        ({"reason": ""}, "invalid-content"),
        ({"programme": "nowhere"}, "not-found"),
    ],
)
def test_an_application_that_makes_no_sense_is_refused(
    bank: Bank, wrong: dict[str, object], code: str
) -> None:
    assert problem(bank.apply(**wrong)) == code
    assert count("tier_applications") == 0


def test_a_tier_below_the_earned_one_is_not_applied_for(bank: Bank) -> None:
    buy(bank.world, 20_000)
    assert problem(bank.apply()) == "tier-below-earned"
    assert bank.apply(tier="diamond")[0] == 201


def test_who_is_no_member_becomes_one_by_the_application(bank: Bank) -> None:
    with transaction() as session:
        found = customers.register(session, [NewCustomer("fresh")])[0].customer_id
    assert found is not None
    assert bank.apply(customer_id=ids.encode("cus", found))[0] == 201
    with transaction() as session:
        assert programmes.find_members(session, bank.world.programme, [found])


def test_the_reason_and_the_comment_go_with_the_person(bank: Bank, database: Database) -> None:
    made = bank.apply()[1]
    bank.decide(made, bank.token("head"))
    with transaction() as session:
        customers.erase(session, bank.world.member.customer_id, vault.Reason.REQUEST)
    listed = bank.call("GET", "/v1/tier-applications", bank.token("head"))[1]["items"]
    assert [(item["reason"], item["decision"]["comment"]) for item in listed] == [(None, None)]
    assert listed[0]["digest"] == made["digest"]
    assert problem(bank.apply()) == "customer-erased"


def test_each_branch_person_sees_their_own_and_head_office_all_page_by_page(bank: Bank) -> None:
    made = [bank.apply(name)[1]["id"] for name in ("branch", "other", "branch")]
    own = bank.call("GET", "/v1/tier-applications", bank.token("branch"))[1]
    assert [item["id"] for item in own["items"]] == [made[2], made[0]]
    page = bank.call("GET", "/v1/tier-applications?limit=2", bank.token("head"))[1]
    assert [item["id"] for item in page["items"]] == [made[2], made[1]]
    path = f"/v1/tier-applications?limit=2&cursor={page['next_cursor']}"
    page = bank.call("GET", path, bank.token("head"))[1]
    assert [item["id"] for item in page["items"]] == [made[0]]
    assert page["next_cursor"] is None
    none = bank.call("GET", "/v1/tier-applications?state=approved", bank.token("head"))[1]
    assert none["items"] == []


def test_roles_are_kept(bank: Bank) -> None:
    assert bank.apply("head")[0] == 403
    made = bank.apply()[1]
    assert bank.decide(made, bank.token("other"))[0] == 403
    unknown = {**made, "id": "tap_0000000009999"}
    assert bank.decide(unknown, bank.token("head"))[0] == 404


def test_every_step_leaves_an_audit_row_without_the_reason(bank: Bank) -> None:
    made = bank.apply()[1]
    bank.decide(made, bank.token("head"))
    with transaction() as session:
        rows = session.execute(
            text(
                "SELECT action, subject_id, detail::text FROM loyalty.audit_events"
                " WHERE action LIKE 'tier.%' ORDER BY id"
            )
        ).all()
    assert [(row.action, row.subject_id) for row in rows] == [
        ("tier.applied", made["id"]),
        ("tier.approved", made["id"]),
    ]
    assert not any("存款" in row.detail or "同意" in row.detail for row in rows)
