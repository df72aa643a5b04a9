"""Nothing goes out but what others agreed to, exactly as it was, on a fresh preview."""

from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from campaigns import drafting, expansion
from campaigns.rules import part_of
from loyalty.database import transaction
from tests.callers import problem, trail
from tests.campaigns.builders import House, document


def edit(house: House, draft: Any, **changed: Any) -> Any:
    path = f"/v1/campaigns/{draft['campaign_id']}"
    body = {"version": draft["version"], "document": document(**changed)}
    answer = house.maker.post(f"{path}/versions", body, match=house.maker.tag(path))
    assert answer.status_code == 201, answer.data
    return answer.json


def rows(statement: str) -> list[Any]:
    with transaction() as session:
        return list(session.execute(text(statement)).all())


def test_nobody_approves_their_own_and_every_seat_is_needed(house: House) -> None:
    house.agree("C-1")
    draft = house.draft()
    preview = house.preview(draft)
    assert problem(house.launch(draft, preview)) == (409, "approval-needed")
    proposal = house.submit(draft, preview).json
    assert problem(house.decide(house.maker, proposal)) == (409, "own-proposal")
    assert house.decide(house.business, proposal).json["state"] == "open"
    assert problem(house.launch(draft, preview)) == (409, "approval-needed")
    assert house.decide(house.protection, proposal).json["state"] == "applied"
    launched = house.launch(draft, preview)
    assert (launched.status_code, launched.json["state"]) == (201, "running")
    assert [who for who, _, _ in trail("campaign.launched")] == [house.maker.name]
    assert problem(house.launch(draft, preview)) == (409, "campaign-launched")


def test_public_text_needs_publicity_too(house: House) -> None:
    house.agree("C-1")
    draft = house.draft(is_public=True)
    proposal = house.submit(draft, house.preview(draft)).json
    house.decide(house.business, proposal)
    assert house.decide(house.protection, proposal).json["state"] == "open"
    assert house.decide(house.publicity, proposal).json["state"] == "applied"


def test_one_character_edited_after_the_approval_refuses_the_launch(house: House) -> None:
    house.agree("C-1")
    draft = house.draft()
    preview = house.preview(draft)
    house.approve(draft, preview)
    edited = edit(house, draft, names={"zh": "春季双倍积分!", "en": "Twice the points in spring"})
    assert edited["state"] == "draft"
    assert problem(house.launch(draft, preview)) == (409, "version-moved")
    assert problem(house.launch(edited, preview)) == (409, "approval-needed")
    fresh = house.preview(edited)
    assert problem(house.launch(edited, fresh)) == (409, "approval-needed")
    house.approve(edited, fresh)
    assert house.launch(edited, fresh).status_code == 201


def test_an_edit_while_others_decide_makes_the_proposal_stale(house: House) -> None:
    house.agree("C-1")
    draft = house.draft()
    proposal = house.submit(draft, house.preview(draft)).json
    house.decide(house.business, proposal)
    edit(house, draft, control_parts=100)
    assert problem(house.decide(house.protection, proposal)) == (409, "proposal-stale")


def test_a_launch_writes_ordinary_rules_templates_and_a_budget(house: House) -> None:
    house.agree("C-1")
    house.run()
    assert rows(
        "SELECT code, verdict FROM loyalty.earning_rules r"
        " JOIN loyalty.earning_rule_decisions d ON d.rule_id = r.id"
    ) == [("campaign-spring", "approved")]
    assert rows(
        "SELECT w.posted, w.floor FROM ledger.wallets w JOIN ledger.accounts a"
        " ON a.id = w.account_id WHERE a.role = 'campaign_budget'"
    ) == [(1_000_000, 0)]
    kept = rows("SELECT arm, channel, language, content FROM campaigns.advertisements")
    assert {(row.channel, row.language) for row in kept} == {("in_app", "zh"), ("in_app", "en")}
    assert all("积分" in row.content["body"] or "oints" in row.content["body"] for row in kept)


def dividing_salt(house: House) -> bytes:
    """Return a salt under which some members are in the control group and some are not."""
    for number in count():
        salt = number.to_bytes(16, "big")
        halves = {part_of(salt, one.customer_id) < 5_000 for one in house.members.values()}
        if len(halves) == 2:
            return salt
    raise AssertionError


def test_messages_reach_who_agreed_and_the_control_group_is_left_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    salt = dividing_salt(house)
    monkeypatch.setattr(drafting, "secrets", SimpleNamespace(token_bytes=lambda _: salt))
    house.agree("C-1", "C-2", "C-3", "C-4")
    draft, _ = house.run(control_parts=5_000)
    members = dict(rows("SELECT customer_id, arm FROM campaigns.members"))
    assert len(members) == 4
    asked = {row[0] for row in rows("SELECT customer_id FROM loyalty.send_requests")}
    assert asked == {number for number, arm in members.items() if arm != "control"}
    results = house.business.get(f"/v1/campaigns/{draft['campaign_id']}/results").json
    assert sum(arm["members"] for arm in results["arms"]) == 4


def test_expanding_again_asks_nobody_twice(house: House) -> None:
    house.agree("C-1", "C-2")
    house.run()
    before = rows("SELECT count(*) FROM loyalty.send_requests")
    with transaction() as session:
        launch = session.execute(text("SELECT id FROM campaigns.launches")).scalar_one()
        expansion.advance(session, launch, 0)
    assert rows("SELECT count(*) FROM loyalty.send_requests") == before == [(2,)]


def test_the_gate_lets_a_launched_campaign_through(house: House) -> None:
    house.agree("C-1", "C-2")
    house.run()
    done = house.dispatch()
    assert (done.allowed, done.denied) == (2, 0), rows("SELECT results FROM loyalty.decisions")


def test_who_withdraws_while_the_message_waits_gets_none(house: House) -> None:
    house.agree("C-1", "C-2")
    house.run()
    house.refuse("C-2")
    done = house.dispatch()
    assert (done.allowed, done.denied) == (1, 1)


def test_one_person_stops_and_two_let_it_go_on(house: House) -> None:
    house.agree("C-1")
    draft, _ = house.run()
    path = f"/v1/campaigns/{draft['campaign_id']}"
    stopped = house.protection.post(f"{path}/stop", {"reason": "投诉激增"})
    assert stopped.json["state"] == "stopped", stopped.data
    assert house.dispatch().allowed == 0
    again = house.maker.post(f"{path}/restart", {"reason": "已查明"})
    assert again.status_code == 201, again.data
    assert problem(house.decide(house.maker, again.json)) == (409, "own-proposal")
    assert house.decide(house.protection, again.json).json["state"] == "applied"
    assert house.maker.get(path).json["state"] == "running"
