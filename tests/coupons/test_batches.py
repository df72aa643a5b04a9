"""A batch is made in chunks, whole or as far as the budget goes; its codes are given out once."""

import csv
import io

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from loyalty import outbox
from loyalty.coupons import batches, jobs
from loyalty.database import transaction
from tests.callers import Client, add_person, problem, trail
from tests.coupons.builders import World, add_series, budget_left, check, ticket


@pytest.fixture
def maker(application: FlaskClient) -> Client:
    return add_person(application, "coupon_operations")


def order(maker: Client, size: int, reference: str = "b1") -> str:
    body = {"reference": reference, "size": size}
    answer = maker.post("/v1/coupon-series/spring/batches", body)
    assert answer.status_code == 202, answer.get_json()
    return str(answer.get_json()["batch_id"])


def codes_of(maker: Client, batch: str) -> list[list[str]]:
    answer = maker.post(f"/v1/coupon-batches/{batch}/codes", {})
    assert answer.status_code == 200, answer.get_json()
    return list(csv.reader(io.StringIO(answer.get_data(as_text=True))))


def test_a_batch_is_made_in_chunks_and_shows_how_far_it_is(
    world: World, maker: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 40)
    series = add_series(world, minimum=0, bound=False)
    batch = order(maker, 100)
    assert order(maker, 100) == batch
    assert problem(maker.post(f"/v1/coupon-batches/{batch}/codes", {}))[0] in (409, 400)
    outbox.advance(batches.KIND, 30)
    found = maker.get(f"/v1/coupon-batches/{batch}").get_json()
    assert (found["state"], found["made"], found["missing"]) == ("done", 100, 0)
    assert budget_left(series) == 1_000_000 - 100 * 2_000
    with transaction() as session:
        chunks = session.execute(text("SELECT count(*) FROM loyalty.run_chunks")).scalar_one()
    assert chunks == 3


def test_what_the_budget_lacks_is_not_made(world: World, maker: Client) -> None:
    series = add_series(world, budget=5 * 2_000 + 1)
    batch = order(maker, 8)
    outbox.advance(batches.KIND, 30)
    found = maker.get(f"/v1/coupon-batches/{batch}").get_json()
    assert (found["made"], found["missing"]) == (5, 3)
    assert budget_left(series) == 1


def test_a88_the_codes_are_given_once_to_their_maker_with_a_mark_and_a_trail(
    world: World, maker: Client, application: FlaskClient
) -> None:
    add_series(world, minimum=0)
    batch = order(maker, 3)
    outbox.advance(batches.KIND, 30)
    other = add_person(application, "coupon_operations")
    assert problem(other.post(f"/v1/coupon-batches/{batch}/codes", {})) == (404, "not-found")
    head, names, *lines = codes_of(maker, batch)
    assert names == ["number", "code", "valid_until", "mark"]
    assert len(lines) == 3
    assert {line[3] for line in lines} == {head[3]}
    assert maker.name in head[3]
    assert all(check(world, ticket(world, [line[1]]))[0].answer.is_yes for line in lines)
    again = maker.post(f"/v1/coupon-batches/{batch}/codes", {})
    assert problem(again) == (409, "codes-given")
    (row,) = trail("coupon_batch.exported")
    assert row == (maker.name, batch, {"mark": head[3]})


def test_those_whose_time_is_over_end_and_give_their_budget_back(world: World) -> None:
    from tests.coupons.builders import issue  # noqa: PLC0415 - this test alone issues

    series = add_series(world, validity={"days": None, "ends_at": soon()})
    issue(world, series, 3)
    assert budget_left(series) == 1_000_000 - 3 * 2_000
    wait_until_over()
    with transaction() as session:
        outbox.start_run(session, jobs.EXPIRY, {}, created_by="job:test")
    outbox.advance(jobs.EXPIRY, 30)
    assert budget_left(series) == 1_000_000
    with transaction() as session:
        states = session.execute(text("SELECT DISTINCT state FROM loyalty.coupons")).scalars()
        assert list(states) == ["expired"]


def soon() -> str:
    with transaction() as session:
        at = session.execute(text("SELECT clock_timestamp() + interval '3 seconds'")).scalar_one()
    return str(at.isoformat())


def wait_until_over() -> None:
    with transaction() as session:
        session.execute(
            text("SELECT pg_sleep_until((SELECT max(valid_until) FROM loyalty.coupons))")
        )
