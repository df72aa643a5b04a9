"""A preview asks the gate about everybody, adds up, and shows people to few."""

import psycopg
import pytest
from psycopg import errors

from tests.callers import add_person, pointers, problem, trail
from tests.campaigns.builders import EVERYBODY, House
from tests.servers import Database


def test_who_never_agreed_is_excluded_and_everything_adds_up(house: House) -> None:
    house.agree("C-1", "C-2", "C-3")
    house.refuse("C-3")
    found = house.preview(house.draft())
    assert (found["total"], found["sendable"], found["control"], found["deferred"]) == (4, 2, 0, 0)
    assert found["excluded"] == {"consent.refused.hard": 1, "consent.marketing.required": 1}
    assert found["fired"] == {"consent.refused.hard": 1, "consent.marketing.required": 2}


def test_the_control_group_counts_once_and_is_no_exclusion(house: House) -> None:
    house.agree("C-1", "C-2", "C-3", "C-4")
    found = house.preview(house.draft(control_parts=5_000))
    assert found["control"] == found["arms"].get("control", 0)
    assert found["total"] == found["sendable"] + found["control"] == 4


def test_an_audience_of_nobody_is_previewed_but_not_submitted(house: House) -> None:
    draft = house.draft(audience={"field": "points.balance", "is": "ge", "value": 10**9})
    found = house.preview(draft)
    assert (found["total"], found["excluded"]) == (0, {})
    assert problem(house.submit(draft, found)) == (409, "nobody-to-reach")


def test_what_blocks_a_submission_blocks_a_preview(house: House) -> None:
    draft = house.draft(offer=None)
    path = f"/v1/campaigns/{draft['campaign_id']}/previews"
    refused = house.maker.post(path, {"version": 1})
    assert problem(refused) == (422, "campaign-blocked")
    assert pointers(refused) == [("/document/offer", "missing")]


def test_the_database_takes_no_total_that_does_not_add_up(house: House, database: Database) -> None:
    found = house.preview(house.draft())
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(errors.CheckViolation):
            connection.execute(
                "INSERT INTO campaigns.preview_totals (preview_id, total, sendable, control,"
                " deferred, excluded, fired, arms)"
                """ VALUES (99, 10, 3, 2, 1, '{"a": 1, "b": 2}', '{}', '{}')"""
            )
    assert found["total"] == 4


def test_people_are_shown_to_those_who_may_see_them_and_it_is_kept(house: House) -> None:
    house.agree("C-1")
    found = house.preview(house.draft())
    path = f"/v1/campaign-previews/{found['preview_id']}/members"
    assert problem(house.maker.get(path)) == (403, "forbidden")
    compliance = add_person(house.application, "compliance")
    shown = compliance.get(path, rule="consent.marketing.required").json["items"]
    assert [one["primary_rule"] for one in shown] == ["consent.marketing.required"] * 3
    first = compliance.get(path, limit=2).json
    rest = compliance.get(path, limit=2, cursor=first["next_cursor"]).json
    assert len(first["items"]) == len(rest["items"]) == 2
    assert [who for who, _, _ in trail("campaign.members_seen")] == [compliance.name] * 3


def test_the_same_is_answered_for_one_person(house: House) -> None:
    house.agree("C-1")
    draft = house.draft()
    compliance = add_person(house.application, "compliance")
    path = f"/v1/campaigns/{draft['campaign_id']}/customers"
    assert compliance.get(f"{path}/C-1").json["outcome"] == "sendable"
    told = compliance.get(f"{path}/C-2").json
    assert (told["outcome"], told["rules"]) == ("excluded", ["consent.marketing.required"])
    assert told["reasons"][0]["zh"] == "您未同意通过in_app接收“offers”类信息，本行不予发送。"
    assert problem(compliance.get(f"{path}/nobody")) == (404, "not-found")
    assert problem(house.maker.get(f"{path}/C-1")) == (403, "forbidden")


def test_a_tier_chooses_who_is_meant(house: House) -> None:
    gold = {"field": "customer.tier", "is": "eq", "value": "gold"}
    assert house.preview(house.draft(audience=gold))["total"] == 0
    plain = {"all": [EVERYBODY, {"field": "customer.tier", "is": "eq", "value": "standard"}]}
    assert house.preview(house.draft("other", audience=plain))["total"] == 4
    bought = {"not": {"field": "purchases.count", "is": "ge", "value": 1}}
    assert house.preview(house.draft("third", audience=bought))["total"] == 4
