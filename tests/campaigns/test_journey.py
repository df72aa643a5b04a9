"""A campaign from its first word to its evidence, over HTTP, by the people whose work it is.

Forbidden words are found, the preview adds up, nobody approves alone, an edit voids, who withdraws
while it waits gets nothing, mail arrives at a real server with what the law wants, a customer
refuses by one POST, the results open to their rows, and what stands behind each message verifies.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import pytest

from ledger import checkpoints
from loyalty import consent, outbox
from loyalty.consent import NewContact
from loyalty.database import transaction
from loyalty.messages.gateways import read_gateways
from loyalty.messages.mail import MailGateway
from loyalty.messages.replay import replay
from loyalty.proof import jobs
from loyalty.settings import settings
from loyalty.web import ids
from tests.callers import Client, add_person, pointers, problem
from tests.campaigns.builders import WORDS, House, document
from tests.ledger.verifying import verify_database
from tests.messages.mailbox import Mailbox, mailbox
from tests.servers import Database

BOTH = {"email": WORDS, "in_app": WORDS}
VARIANTS = [{"name": "a", "weight": 1, "contents": BOTH}]
CHANNELS = ["email", "in_app"]


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as kept:
        yield kept


def reach_by_mail(house: House, *references: str) -> None:
    """Give members an address that was verified, and their consent to be written to there."""
    with transaction() as session:
        consent.add_contacts(
            session,
            [
                NewContact(
                    customer_id=house.members[reference].customer_id,
                    kind="EMAIL",
                    value=f"{reference.lower()}@example.com",
                    verified_at=datetime.now(UTC),
                )
                for reference in references
            ],
        )
    house.agree(*references, channel="EMAIL")


def submit_what_is_clean(house: House) -> tuple[Any, Any]:
    """Write a campaign with a forbidden word, mend it, preview it; return draft and preview."""
    bad = {**WORDS, "zh": {"subject": "全国最佳活动", "body": "最终解释权归本行所有。"}}
    worded = [{"name": "a", "weight": 1, "contents": {"email": bad, "in_app": bad}}]
    draft = house.draft(variants=worded, channels=CHANNELS)
    assert not draft["is_submittable"]
    path = f"/v1/campaigns/{draft['campaign_id']}"
    refused = house.maker.post(f"{path}/previews", {"version": 1})
    assert problem(refused) == (422, "campaign-blocked")
    assert {at.split("/contents/")[1] for at, _ in pointers(refused)} >= {
        "email/zh/subject",
        "email/zh/body",
    }
    mended = edit(house, draft, 1)
    preview = house.preview(mended)
    counted = [preview[name] for name in ("sendable", "control", "deferred")]
    assert preview["total"] == sum(counted) + sum(preview["excluded"].values()) == 4
    assert preview["sendable"] == 3
    return mended, preview


def edit(house: House, draft: Any, seen: int, **changed: Any) -> Any:
    whole = document(variants=VARIANTS, channels=CHANNELS, **changed)
    path = f"/v1/campaigns/{draft['campaign_id']}"
    tag = house.maker.tag(path)
    answer = house.maker.post(f"{path}/versions", {"version": seen, "document": whole}, match=tag)
    assert answer.status_code == 201, answer.data
    return answer.json


def approve_and_launch(house: House, draft: Any, preview: Any) -> Any:
    """Show that nobody approves alone and an edit voids; launch what was approved at last."""
    proposal = house.submit(draft, preview).json
    assert problem(house.decide(house.maker, proposal)) == (409, "own-proposal")
    house.decide(house.business, proposal)
    edited = edit(house, draft, 2, names={"zh": "春季双倍积分活动", "en": "Spring"})
    assert problem(house.decide(house.protection, proposal)) == (409, "proposal-stale")
    assert problem(house.launch(edited, preview)) == (409, "approval-needed")
    fresh = house.preview(edited)
    house.approve(edited, fresh)
    assert house.launch(edited, fresh).status_code == 201
    outbox.advance("campaigns.expand", 60)
    return edited


def refuse_by_mail(house: House, mail: EmailMessage) -> None:
    """Look at the link, which changes nothing, then refuse as a mail program does."""
    assert mail["Subject"].startswith("广告")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = urlsplit(str(mail["List-Unsubscribe"]).strip().strip("<>")).path
    assert house.application.get(path).status_code == 200
    assert status_of(house, "C-1") == "GRANTED"
    body = {"List-Unsubscribe": "One-Click"}
    assert house.application.post(path, data=body).status_code == 200
    assert status_of(house, "C-1") == "WITHDRAWN"


def status_of(house: House, reference: str) -> str:
    number = house.members[reference].customer_id
    with transaction() as session:
        found = consent.read_snapshot(session, [number], purpose="offers", channel="EMAIL")
    return str(found[number].standing.status)


def check_results(compliance: Client, path: str) -> list[Any]:
    """Compare what came of it with its rows; return the rows of those who were written to."""
    (arm,) = compliance.get(f"{path}/results").json["arms"]
    assert (arm["members"], arm["counts"]["sent"], arm["counts"]["opted_out"]) == (4, 2, 1)
    assert arm["counts"]["denied"] == 1
    rows: list[Any] = compliance.get(f"{path}/results/members", what="sent").json["items"]
    return rows


def test_a_campaign_from_its_first_word_to_its_evidence(
    sending: House, database: Database, box: Mailbox
) -> None:
    house = sending
    key = checkpoints.create_sealing_key(settings().keys).parent
    reach_by_mail(house, "C-1", "C-3")
    house.agree("C-2")
    draft = approve_and_launch(house, *submit_what_is_clean(house))
    house.refuse("C-3", channel="EMAIL")
    environ = {"SMTP_URL": box.address, "MAIL_FROM": "bank@example.com"}
    gateway = MailGateway(read_gateways(environ, "http://127.0.0.1:8000"))
    assert house.deliver(email=gateway) == 2
    gateway.close()
    (mail,) = box.mails
    assert mail["To"] == "c-1@example.com"
    refuse_by_mail(house, mail)
    compliance = add_person(house.application, "compliance")
    path = f"/v1/campaigns/{draft['campaign_id']}"
    assert len(check_results(compliance, path)) == 2
    for number in (1, 2, 3):
        check_evidence(compliance, number, draft)
    whole = compliance.get(f"{path}/evidence").json
    assert (whole["decisions"], whole["blocked"]) == ({"ALLOW": 2, "DENY": 1}, 1)
    assert (whole["opt_outs"], whole["refusals"]["sent_after"]) == ({"link": 1}, 0)
    assert whole["refusals"]["purged"] == 1
    assert sorted(whole["approval"]["approved_by"]) == ["business", "consumer-protection"]
    fired = {row["rule"]: row["decided"] for row in whole["rules"]}
    assert fired["consent.withdraw.immediate"] == 1
    jobs.seal_logs(30)
    jobs.checkpoint_logs()
    assert verify_database(database, key).status == 0
    now = datetime.now(UTC)
    with transaction() as session:
        different, asked, _ = replay(session, now - timedelta(days=1), now + timedelta(days=1))
    assert (different, asked) == ([], 3)


def check_evidence(compliance: Client, number: int, draft: Any) -> None:
    """Read what stands behind a message: the decision with its reasons, and what was approved."""
    pack = compliance.get(f"/v1/send-requests/{ids.encode('req', number)}/evidence").json
    (decision,) = pack["decisions"]
    assert pack["request"]["origin"]["id"] == draft["campaign_id"]
    assert decision["inputs_are_whole"]
    assert (decision["verdict"] == "ALLOW") == (pack["attempt"] is not None)
    assert decision["verdict"] == "ALLOW" or decision["primary_reason"]["zh"]
