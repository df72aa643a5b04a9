"""Marketing leaves only to who agreed, by a release that was approved, so often and at such hours.

Acceptance 7 of the gate: two campaigns, one customer, a cap of one: exactly one leaves.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty import consent, messages
from loyalty.consent import NewFact, Preference
from loyalty.database import transaction
from loyalty.messages import Terms
from loyalty.web import Refused
from tests.messages.builders import (
    CALLER,
    DIGEST,
    MARKETING,
    NOW,
    add_customers,
    add_release,
    add_template,
    decide,
    inbox_of,
    offer,
    rows,
    say,
    send,
)
from tests.servers import Database


@pytest.fixture
def customer(both: Database) -> int:
    """A customer who agreed to marketing in the app."""
    (number,) = add_customers()
    say(number)
    return number


@pytest.fixture
def release(customer: int) -> int:
    return add_release(add_template(MARKETING))


def reason(both: Database) -> tuple[Any, ...]:
    """Return verdict and primary rule of the only decision."""
    (found,) = rows(both.superuser_url, "SELECT verdict, primary_rule FROM loyalty.decisions")
    return found


def test_who_agreed_gets_it_marked_as_an_advertisement(
    both: Database, customer: int, release: int
) -> None:
    offer(customer, release)
    assert decide().allowed == 1
    assert send() == 1
    (message,) = inbox_of(customer)
    assert message.title == "广告:春日出行"
    assert "三亚限时优惠" in message.body
    assert "95500" in message.body


def test_who_never_said_anything_gets_nothing(both: Database) -> None:
    (silent,) = add_customers()
    offer(silent, add_release(add_template(MARKETING)))
    assert decide().denied == 1
    assert reason(both) == ("DENY", "consent.marketing.required")


def test_agreeing_to_one_channel_is_not_agreeing_to_another(
    both: Database, customer: int, release: int
) -> None:
    offer(customer, release, channel="sms")
    decide()
    assert reason(both) == ("DENY", "consent.marketing.required")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"release_id": None}, "gov.maker-checker"),
        ({"origin_digest": b"\x02" * 32}, "gov.maker-checker"),
    ],
)
def test_without_the_approved_release_nothing_leaves(
    both: Database, customer: int, release: int, changed: dict[str, Any], rule: str
) -> None:
    offer(customer, **{"release_id": release, **changed})
    decide()
    assert reason(both) == ("DENY", rule)


def test_a_version_that_was_not_released_does_not_leave(
    both: Database, customer: int, release: int
) -> None:
    contents = {"in_app": {"zh": {"subject": "春日", "body": "{place}。"}}}
    add_template(MARKETING, contents=contents)
    offer(customer, release)
    decide()
    assert reason(both) == ("DENY", "gov.maker-checker")


def test_what_was_changed_after_approval_is_not_released(customer: int) -> None:
    version = add_template(MARKETING)
    with pytest.raises(Refused, match="not-as-approved"):
        add_release(version, digest=b"\x02" * 32)


def test_an_approval_that_is_over_lets_nothing_leave(both: Database, customer: int) -> None:
    over = {"starts_at": NOW - timedelta(days=31), "expires_at": NOW - timedelta(days=1)}
    offer(customer, add_release(add_template(MARKETING), **over))
    decide()
    assert reason(both) == ("DENY", "gov.approval-expiry")


def fact(customer: int, kind: str, value: str) -> None:
    new = NewFact(
        customer_id=customer, kind=kind, value=value, as_of=NOW, source="t", reference=kind
    )
    with transaction() as session:
        consent.add_facts(session, CALLER, [new])


@pytest.mark.parametrize(
    ("kind", "value", "terms", "rule"),
    [
        ("open_complaints", "1", {}, "situation.complaint-open"),
        ("deceased", "yes", {}, "suppress.deceased-or-legal"),
        ("restricted", "yes", {}, "erasure.stop-processing"),
        ("age_band", "UNDER_14", {}, "minor.under14"),
        ("age_band", "UNDER_18", {}, "minor.no-automated-marketing"),
        ("capacity", "LIMITED", {"product": "credit"}, "suit.capacity"),
        ("distress", "yes", {"product": "credit"}, "situation.distress"),
        ("risk_grade", "2", {"risk_grade": 3}, "suit.risk-match"),
        (
            "open_complaints",
            "0",
            {"separately": (("partner-sharing", 3),)},
            "consent.separate.third-party",
        ),
        (
            "open_complaints",
            "0",
            {"separately": (("financial-info-for-marketing", 0),)},
            "consent.fin-info-for-marketing",
        ),
        (
            "open_complaints",
            "0",
            {"separately": (("sensitive-data", 0),)},
            "consent.separate.sensitive",
        ),
        ("open_complaints", "0", {"separately": (("cross-border", 0),)}, "data.cross-border"),
    ],
)
def test_what_the_bank_knows_holds_marketing_back(
    both: Database, customer: int, kind: str, value: str, terms: dict[str, Any], rule: str
) -> None:
    version = add_template(MARKETING)
    with transaction() as session:
        digest = messages.newest_templates(session, ["travel-news"])["travel-news"].digest
    release = add_release(version, terms=Terms((digest.hex(),), **terms))
    fact(customer, kind, value)
    offer(customer, release)
    decide()
    assert reason(both) == ("DENY", rule)


def wish(customer: int, **wishes: Any) -> None:
    with transaction() as session:
        consent.set_preference(session, CALLER, customer, Preference(**wishes))


def test_who_wants_no_automated_choice_gets_none(
    both: Database, customer: int, release: int
) -> None:
    wish(customer, personalisation_off=True)
    offer(customer, release)
    decide()
    assert reason(both) == ("DENY", "auto.off-switch")


def test_who_wants_none_a_week_gets_none(both: Database, customer: int, release: int) -> None:
    wish(customer, weekly_cap=0)
    offer(customer, release)
    decide()
    assert reason(both) == ("DENY", "freq.cap")


def test_at_night_a_message_waits_for_the_morning(
    both: Database, customer: int, release: int
) -> None:
    hour = (23 - datetime.now(UTC).hour) % 24
    night = f"Etc/GMT{-hour:+d}" if hour <= 12 else f"Etc/GMT{24 - hour:+d}"
    say(customer, channel="EMAIL")
    offer(customer, release, zone=night, channel="email")
    assert decide().deferred == 1
    assert reason(both) == ("DEFER", "time.quiet-hours")
    assert (decide().total, send()) == (0, 0)


def test_a_stop_holds_everything_until_it_is_lifted(
    both: Database, customer: int, release: int
) -> None:
    with transaction() as session:
        messages.stop(session, CALLER, "release", str(release), "incident")
    offer(customer, release)
    decide()
    assert reason(both) == ("DENY", "time.blackout")
    with transaction() as session:
        messages.resume(session, CALLER, "release", str(release), "mended")
    offer(customer, release, "m2")
    assert decide().allowed == 1


@pytest.mark.parametrize("how", range(5))
def test_two_campaigns_and_a_cap_of_one_send_one(
    both: Database, customer: int, release: int, how: int
) -> None:
    """Acceptance 7. Both are decided at the same moment by two workers."""
    other = add_release(
        add_template(MARKETING), origin="cmp_2", digest=DIGEST, approved_digest=DIGEST
    )
    offer(customer, release, "a", template_version_id=1)
    offer(customer, other, "b", origin="cmp_2")
    with ThreadPoolExecutor(2) as pool:
        decided = list(pool.map(lambda _: decide(), range(2)))
    assert sum(one.allowed for one in decided) == 1
    assert sum(one.deferred for one in decided) == 1
    assert send() == 1
    assert len(inbox_of(customer)) == 1


def test_refused_after_asking_and_agreed_again_stays_refused(
    both: Database, customer: int, release: int
) -> None:
    """What was queued before a refusal never leaves, whatever is agreed to later."""
    offer(customer, release)
    say(customer, "WITHDRAW")
    say(customer, "GRANT")
    decide()
    assert reason(both) == ("DENY", "consent.withdraw.immediate")
    offer(customer, release, "m2")
    assert decide().allowed == 1


def test_a_withdrawal_has_the_reason_written_at_once(
    both: Database, customer: int, release: int
) -> None:
    """A request for next week is decided now, because the customer refused."""
    offer(customer, release, due_at=datetime.now(UTC) + timedelta(days=7))
    assert decide().total == 0
    say(customer, "WITHDRAW")
    assert decide().denied == 1
    assert reason(both)[1] == "consent.withdraw.immediate"
