"""A draw is published before with its promised seed, held by two, and checked by an outsider.

Winners get their prizes through the ledger, out of a budget that was set aside. An outsider needs
nothing but what is public; a changed ticket, seed or winner is named.
"""

import json
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from campaigns.linting import _NOTICE
from loyalty import outbox
from loyalty.database import transaction
from tests.callers import problem
from tests.campaigns.builders import House, notice
from tests.ledger.verifying import verify
from tests.servers import Database


def run_draw(house: House, database: Database) -> str:
    """Bring a draw from its draft to the prizes; return the launch's id."""
    house.agree("C-1")
    draft, _ = house.run(
        kind="prize_draw",
        offer=None,
        draw=notice(),
        budget={"unit": "points", "amount": 200},
    )
    path = f"/v1/campaigns/{draft['campaign_id']}/draw"
    results = house.maker.get(f"/v1/campaigns/{draft['campaign_id']}/results").json
    read = {"launch_id": results["launch_id"]}
    assert problem(house.maker.post(path, read)) == (409, "draw-not-due")
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("ALTER TABLE campaigns.prize_notices DISABLE TRIGGER USER")
        connection.execute(
            "UPDATE campaigns.prize_notices"
            " SET notice = notice || jsonb_build_object('drawn_at', now())"
        )
    made = house.maker.post(path, read)
    assert made.status_code == 201, made.data
    assert problem(house.decide(house.maker, made.json)) == (409, "own-proposal")
    assert house.decide(house.protection, made.json).json["state"] == "applied"
    outbox.advance("campaigns.draw", 60)
    assert problem(house.maker.post(path, read)) == (409, "draw-not-due")  # it was held
    return results["launch_id"]


@pytest.fixture
def held(house: House, database: Database, tmp_path: Path) -> tuple[House, Path, Path]:
    """A draw that was held, as an outsider finds it: two files from public addresses."""
    launch = run_draw(house, database)
    published, tickets = tmp_path / "draw.json", tmp_path / "tickets.csv"
    path = f"/v1/prize-draws/{launch}"
    published.write_bytes(house.application.get(path).data)
    tickets.write_bytes(house.application.get(f"{path}/tickets.csv").data)
    return house, published, tickets


def test_the_notice_says_all_fifteen_things_to_everybody(held: tuple[House, Path, Path]) -> None:
    house, published, _ = held
    told = json.loads(published.read_text())
    assert told["notice"].keys() >= set(_NOTICE)
    assert all(prize.keys() >= {"name", "count", "value"} for prize in told["notice"]["prizes"])
    assert len(told["commitment"]) == 64
    page = house.application.get(f"/v1/prize-draws/{told['launch_id']}/tickets?limit=3").json
    rest = house.application.get(
        f"/v1/prize-draws/{told['launch_id']}/tickets?limit=3&cursor={page['next_cursor']}"
    ).json
    assert len(page["items"]) == 3
    assert len(rest["items"]) == 1
    won = [one for one in page["items"] + rest["items"] if one["place"] is not None]
    assert sorted((one["place"], one["prize"]) for one in won) == [(1, 0), (2, 1), (3, 1)]


def test_winners_get_their_points_from_what_was_set_aside(held: tuple[House, Path, Path]) -> None:
    house = held[0]
    with transaction() as session:
        gifts = session.execute(text("SELECT gift, refusal FROM campaigns.gifts")).all()
        assert [tuple(row) for row in gifts] == [("100 points", None)] * 2
        wallets = [member.points_wallet for member in house.members.values()]
        posted = session.scalars(
            text("SELECT posted FROM ledger.wallets WHERE account_id = ANY(:ids) ORDER BY posted"),
            {"ids": wallets},
        ).all()
        assert posted == [0, 0, 100, 100]
        left = session.scalars(
            text(
                "SELECT w.posted FROM ledger.wallets w JOIN ledger.accounts a"
                " ON a.id = w.account_id WHERE a.role = 'campaign_budget'"
            )
        ).all()
        assert left == [0, 0]


def test_an_outsider_checks_it_and_names_what_was_changed(held: tuple[House, Path, Path]) -> None:
    _, published, tickets = held
    arguments = ("--draw", published, "--tickets", tickets)
    assert verify(*arguments).status == 0
    whole, told = tickets.read_text(), json.loads(published.read_text())
    lines = whole.splitlines()
    winner = next(line for line in lines[1:] if not line.endswith(",,"))
    tickets.write_text(whole.replace(winner, winner.split(",")[0] + ",,"))
    answer = verify(*arguments)
    assert (answer.status, answer.first["key"]) == (1, {"ticket": winner.split(",")[0]})
    tickets.write_text("\n".join(line for line in lines if line != winner) + "\n")
    assert verify(*arguments).first["what"] == "the tickets are not those that were drawn from"
    tickets.write_text(whole)
    told["held"]["seed"] = "00" * 32
    published.write_text(json.dumps(told))
    assert verify(*arguments).first["what"] == "the seed is not the one that was promised"


def test_prizes_that_nobody_could_give_are_found(house: House) -> None:
    prizes = [
        {"name": {"zh": "券", "en": "Coupon"}, "count": 1, "value": 10, "gives": gives}
        for gives in ({"coupon": {"series": "nowhere"}}, {"points": 50})
    ]
    draft = house.draft(
        kind="prize_draw",
        offer=None,
        draw=notice(prizes=prizes),
        budget={"unit": "money", "amount": 5},
    )
    found = {(one["pointer"], one["rule"]) for one in draft["findings"]}
    assert found == {
        ("/draw/prizes/0/gives/coupon/series", "offer.unknown"),
        ("/draw/prizes/1/gives", "budget.unit"),
        ("/budget/amount", "budget.prizes"),
    }
