"""The demo's purchases are worth what their rule says, to the point, however often they come."""

import csv
import gzip
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from loyalty import customers, programmes
from loyalty.commands import main
from loyalty.database import transaction
from loyalty.demo import coupons, people, purchases, sample
from loyalty.points import intake
from tests.points.filing import apply
from tests.servers import Database

COUNTED = text("""
SELECT count(*) AS purchases, sum(a.points) AS points, count(DISTINCT p.customer_id) AS customers,
    count(*) FILTER (WHERE a.points = 0) AS worthless,
    sum(a.points) FILTER (WHERE c.reference = '00002') AS second
FROM loyalty.purchases p JOIN loyalty.awards a ON a.purchase_id = p.id
JOIN loyalty.customers c ON c.id = p.customer_id
""")
TRUE = {
    "purchases": 69_659,
    "points": 2_453_159,
    "customers": 23_570,
    "worthless": 80,
    "second": 89,
}


def run(*words: str) -> str:
    result = CliRunner().invoke(main, ["demo", *words])
    assert result.exit_code == 0, result.output
    return result.output


def count() -> dict[str, int]:
    with transaction() as session:
        return {name: int(n) for name, n in session.execute(COUNTED).one()._asdict().items()}


def test_the_file_gives_exactly_these_points_however_often_and_in_whatever_order(
    database: Database, tmp_path: Path
) -> None:
    run("load", "--no-shift")
    assert count() == TRUE
    assert "装载" in run("load", "--no-shift")
    with gzip.open(purchases.PACKED, "rt", encoding="utf-8", newline="") as packed:
        header, *rows = csv.reader(packed)
    random.Random(1).shuffle(rows)
    path = tmp_path / "shuffled.csv"
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    with transaction() as session:
        programme = programmes.find_programme(session, sample.CODE)
        number = intake.open_import(
            session,
            programme,
            source=sample.SOURCE,
            layout=purchases.LAYOUT,
            created_by="job:test",
        )
        staged = intake.stage(session, number, path)
    assert (staged.sound, staged.known, staged.changed) == (69_659, 69_659, 0)
    again = apply(number)
    assert (again.recorded, again.replayed, again.refused) == (0, 69_659, 0)
    assert count() == TRUE


def test_the_last_purchases_were_made_yesterday(database: Database) -> None:
    with transaction() as session:
        zone = sample.open_sample(session).zone
    shift = purchases.days_until_yesterday(zone)
    with purchases.unpacked(shift) as path, path.open(encoding="utf-8", newline="") as file:
        days = [row["purchased_on"] for row in csv.DictReader(file)]
    assert len(days) == 69_659
    assert max(days) == (purchases.LAST_DAY + shift).isoformat()


def test_invented_people_are_marked_and_sound(database: Database) -> None:
    some = [people.invent(f"{number:05}") for number in (1, 2, 10_370, 23_570)]
    with transaction() as session:
        assert not any(one.is_refused for one in customers.register(session, some))
        found = customers.find_by_reference(session, ["10370"])
        assert customers.customers_by_id(session, found.values())[found["10370"]].invented
    everybody = [people.invent(reference) for reference in purchases.read_references()]
    assert len({one.phone for one in everybody}) == len(everybody) == 23_570


@pytest.mark.parametrize("command", ["load", "welcome"])
def test_production_has_no_demo(
    database: Database, environment: pytest.MonkeyPatch, command: str
) -> None:
    environment.setenv("QUANYI_ENV", "production")
    from loyalty.settings import settings  # noqa: PLC0415 - to forget what was read before

    settings.cache_clear()
    result = CliRunner().invoke(main, ["demo", command])
    assert result.exit_code == 1
    assert "production" in result.output


def test_the_welcome_is_chinese_first_and_names_what_works(database: Database) -> None:
    with transaction() as session:
        programme = sample.open_sample(session)
        (one,) = customers.register(session, [people.invent("10370")])
        programmes.enrol(session, programme, [one.customer_id or 0])
        coupons.open_coupons(session, programme)
    said = run("welcome")
    for word in ("权益", "/docs", "/v1/openapi.json", "curl", "Bearer ey", "loyalty token"):
        assert word in said.replace("loyalty token \\\n", "loyalty token "), word
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    token = said.partition("Bearer ")[2].partition("'")[0]
    path = said.partition("curl -s http://")[2].partition("/")[2].partition(" ")[0]
    answer = build().test_client().get(f"/{path}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.json
    assert {"points", "tier"} <= answer.json.keys()
