"""A proposal happens once, when every seat has agreed, and never by its maker's own hand."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from loyalty.database import transaction
from loyalty.proposals import read_proposal
from loyalty.web import ids
from tests.callers import problem, trail
from tests.proposals.conftest import House, decide
from tests.servers import Database


def test_one_agreement_applies_what_needs_one(house: House) -> None:
    maker, head = house.person("operations"), house.person("head_office")
    proposal = house.propose(maker, house.one, 23)
    assert house.thermostat.degrees == 20
    answer = decide(head, proposal, comment="同意")
    assert answer.status_code == 200
    assert (answer.json["state"], answer.json["end"]["result"]) == ("applied", {"degrees": 23})
    assert answer.json["end"]["by"] == head.name
    assert house.thermostat.applied == [proposal.id]
    assert [actor for actor, _, _ in trail("proposal.applied")] == [head.name]


def test_nothing_happens_until_the_last_seat_agreed(house: House) -> None:
    maker, head, money = (house.person(r) for r in ("operations", "head_office", "finance"))
    proposal = house.propose(maker, house.two, 18)
    assert decide(money, proposal).json["state"] == "open"
    assert house.thermostat.degrees == 20
    assert problem(decide(money, proposal)) == (409, "seat-taken")
    assert problem(decide(house.person("finance"), proposal)) == (409, "seat-taken")
    assert decide(head, proposal).json["state"] == "applied"
    assert house.thermostat.degrees == 18
    assert problem(decide(head, proposal)) == (409, "proposal-decided")


def test_one_person_with_both_roles_fills_one_seat(house: House) -> None:
    both = house.person("head_office", "finance")
    proposal = house.propose(house.person("operations"), house.two, 18)
    assert decide(both, proposal).json["state"] == "open"
    assert problem(decide(both, proposal)) == (409, "seat-taken")


def test_its_maker_decides_nothing_whatever_roles_they_hold_and_the_attempt_is_kept(
    house: House,
) -> None:
    maker = house.person("operations", "head_office")
    proposal = house.propose(maker, house.one, 23)
    assert problem(decide(maker, proposal)) == (409, "own-proposal")
    assert problem(decide(maker, proposal, "reject")) == (409, "own-proposal")
    denied = trail("access.denied")
    assert [(who, detail["problem"]) for who, _, detail in denied] == [
        (maker.name, "own-proposal")
    ] * 2
    assert house.thermostat.degrees == 20


def test_the_database_itself_refuses_a_maker_s_own_agreement(
    house: House, database: Database
) -> None:
    proposal = house.propose(house.person("operations"), house.one, 23)
    with (
        psycopg.connect(database.superuser_url) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(
            "INSERT INTO loyalty.proposal_approvals (proposal_id, seat, proposed_by, digest,"
            " expires_at, approved_by) SELECT id, 'head', proposed_by, digest, expires_at,"
            " proposed_by FROM loyalty.proposals WHERE id = %s",
            [proposal.id],
        )


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_who_has_no_seat_decides_nothing(house: House, decision: str) -> None:
    proposal = house.propose(house.person("operations"), house.one, 23)
    assert problem(decide(house.person("operations"), proposal, decision)) == (403, "forbidden")
    assert problem(decide(house.person("branch"), proposal, decision)) == (404, "not-found")


def test_a_decision_names_the_digest_of_what_was_read(house: House) -> None:
    proposal = house.propose(house.person("operations"), house.one, 23)
    answer = decide(house.person("head_office"), proposal, digest="0" * 64)
    assert problem(answer) == (409, "proposal-differs")


def test_what_was_proposed_in_view_of_another_state_is_stale(house: House) -> None:
    head = house.person("head_office")
    first = house.propose(house.person("operations"), house.one, 23)
    second = house.propose(house.person("operations"), house.one, 17)
    decide(head, first)
    assert problem(decide(head, second)) == (409, "proposal-stale")
    assert decide(head, second, "reject").json["state"] == "rejected"
    assert house.thermostat.degrees == 23


def test_after_three_days_it_is_too_late(house: House, database: Database) -> None:
    proposal = house.propose(house.person("operations"), house.one, 23)
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("ALTER TABLE loyalty.proposals DISABLE TRIGGER USER")
        connection.execute(
            "UPDATE loyalty.proposals SET proposed_at = proposed_at - interval '72 hours',"
            " expires_at = expires_at - interval '72 hours'"
        )
    assert problem(decide(house.person("head_office"), proposal)) == (409, "proposal-expired")
    found = house.person("auditor").get("/v1/proposals", state="expired").json["items"]
    assert [item["proposal_id"] for item in found] == [ids.encode("prp", proposal.id)]


def test_what_cannot_be_applied_leaves_no_agreement_behind(house: House) -> None:
    proposal = house.propose(house.person("operations"), house.one, 99)
    assert problem(decide(house.person("head_office"), proposal)) == (422, "invalid-content")
    with transaction() as session:
        found = read_proposal(session, proposal.id)
    assert (found.state, found.approvals) == ("open", ())


def test_many_who_agree_at_once_apply_it_once(house: House) -> None:
    proposal = house.propose(house.person("operations"), house.two, 18)
    people = [house.person(role) for role in ("head_office", "finance") * 4]

    def one(client: Any) -> int:
        return int(decide(client, proposal).status_code)

    with ThreadPoolExecutor(len(people)) as pool:
        codes = list(pool.map(one, people))
    assert (codes.count(200), codes.count(409)) == (2, 6)
    assert house.thermostat.applied == [proposal.id]
