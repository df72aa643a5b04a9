"""Acceptance 7: two campaigns and one customer who may get one message: exactly one leaves.

A thousand customers, each asked about by two releases whose batches several gates decide at once.
Whoever comes second finds the place taken under the customer's lock, and waits for the next.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from loyalty import consent, messages
from loyalty.consent import NewEvent
from loyalty.database import GATE_ROLE, transaction
from loyalty.messages import NewRequest
from tests.messages.builders import (
    CALLER,
    DIGEST,
    MARKETING,
    NEWS,
    add_customers,
    add_release,
    add_template,
    awake,
    rows,
)
from tests.servers import Database

RUNS = 1_000
BLOCK = 50


def agree(customers: Sequence[int]) -> None:
    """Have all of them agree to offers in the inbox."""
    with transaction() as session:
        purpose = consent.read_purposes(session)["marketing"]
        (notice,) = (
            n for n in consent.read_notices(session).values() if n.purpose_id == purpose.id
        )
        recorded = consent.record(
            session,
            CALLER,
            [
                NewEvent(
                    customer_id=number,
                    purpose="marketing",
                    channel="IN_APP",
                    action="GRANT",
                    mechanism="BRANCH",
                    source="test",
                    reference=f"all-{number}",
                    notice_id=notice.id,
                    proof={"witness": "stf_1"},
                )
                for number in customers
            ],
        )
    assert all(one.seq is not None for one in recorded)


def ask_twice(customers: Sequence[int], releases: Sequence[int]) -> None:
    """Queue both campaigns' requests block by block, so that neighbours' batches meet."""
    with transaction() as session:
        for start in range(0, len(customers), BLOCK):
            for place, release in enumerate(releases):
                requests = [
                    NewRequest(
                        source="test",
                        reference=f"{release}:{number}",
                        customer_id=number,
                        template=NEWS,
                        channel="in_app",
                        filling={"place": "三亚"},
                        origin_kind="campaign",
                        origin=f"cmp_{place + 1}",
                        origin_digest=DIGEST,
                        release_id=release,
                        zone=awake(),
                    )
                    for number in customers[start : start + BLOCK]
                ]
                assert all(one.request_id for one in messages.ask(session, requests))


def decide_until_done(_: int) -> int:
    allowed = 0
    while True:
        with transaction(GATE_ROLE) as session:
            done = messages.dispatch(session, BLOCK)
        allowed += done.allowed
        if not done.total:
            return allowed


def test_of_two_campaigns_exactly_one_leaves(both: Database) -> None:
    customers = add_customers(RUNS, phone=None, email=None)
    version = add_template(MARKETING)
    agree(customers)
    releases = [add_release(version, origin=f"cmp_{place}") for place in (1, 2)]
    ask_twice(customers, releases)
    with ThreadPoolExecutor(4) as gates:
        assert sum(gates.map(decide_until_done, range(4))) == RUNS
    told = rows(
        both.superuser_url,
        "SELECT count(*) FILTER (WHERE verdict = 'ALLOW'),"
        " count(*) FILTER (WHERE primary_rule = 'freq.cap'), count(*)"
        " FROM loyalty.decisions GROUP BY customer_id",
    )
    assert told == [(1, 1, 2)] * RUNS
