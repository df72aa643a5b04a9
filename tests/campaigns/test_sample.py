"""The sample bank has a campaign that waits for approval; made once, however often it is asked."""

from datetime import UTC, datetime

from click.testing import CliRunner

from loyalty import consent, customers, policy, staff
from loyalty.commands import main
from loyalty.consent import NewEvent
from loyalty.consent.rules import NOTICE_FIELDS
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.demo import sample
from loyalty.points import NewPurchase, record_purchases
from loyalty.settings import settings
from tests.callers import ADMIN
from tests.servers import Database


def open_house() -> None:
    """Open the sample's programme with one gold member who agreed to offers in the inbox."""
    with transaction() as session:
        keys, pack = settings().keys, policy.SHIPPED.read_text("utf-8")
        policy.create_policy_key(keys)
        policy.enact(session, keys, pack, policy.sign_pack(keys, pack), "test")
        programme = sample.open_sample(session)
        customers.register(session, [NewCustomer(reference="00001", name="王小明")])
        bought = [NewPurchase("p1", "00001", datetime.now(UTC), 20_000)]
        record_purchases(session, programme, "till", bought)
        number = customers.find_by_reference(session, ["00001"])["00001"]
        bank = staff.add_unit(session, ADMIN, "head_office", "总行")
        told = dict.fromkeys(NOTICE_FIELDS, "x")
        offers = consent.open_purpose(
            session, "offers", name_zh="优惠活动", name_en="Offers", controller_id=bank.id
        )
        notice = consent.publish_notice(
            session,
            offers,
            body_zh="告知书",
            body_en="Notice",
            fields={"zh": told, "en": told},
            approved_by="test",
            material=False,
        )
        event = NewEvent(
            customer_id=number,
            purpose="offers",
            channel="IN_APP",
            action="GRANT",
            mechanism="BRANCH",
            source="test",
            reference="r1",
            notice_id=notice.id,
            proof={"witness": "stf_1"},
        )
        (recorded,) = consent.record(session, ADMIN, [event])
        assert recorded.refusal is None, recorded


def test_the_samples_campaign_waits_for_approval(database: Database) -> None:
    open_house()
    done = CliRunner().invoke(main, ["campaigns", "sample"])
    assert done.exit_code == 0, done.output
    assert "waits for approval" in done.output
    again = CliRunner().invoke(main, ["campaigns", "sample"])
    assert (again.exit_code, again.output) == (0, "")
