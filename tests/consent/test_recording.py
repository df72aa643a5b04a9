"""What a customer says is in force with the commit; nothing said means no."""

from datetime import timedelta

import pytest

from loyalty import consent
from loyalty.database import transaction
from tests.consent.builders import (
    CALLER,
    NOW,
    World,
    code_of,
    event,
    publish,
    record,
    say,
    show,
    snapshot,
)


def status(customer_id: int, purpose: str = "offers", channel: str = "SMS") -> str | None:
    return snapshot(customer_id, purpose, channel).standing.status


def test_nothing_said_means_no(world: World) -> None:
    found = snapshot(world.wang)
    assert found.standing.status is None
    assert not found.standing.is_granted
    assert (found.newest_seq, found.revision) == (0, 0)


def test_a_grant_is_for_one_purpose_by_one_channel_of_one_customer(world: World) -> None:
    granted = say(world, "GRANT")
    assert granted.status == "GRANTED"
    found = snapshot(world.wang)
    assert found.standing.is_granted
    assert found.newest_seq == found.standing.since_seq == granted.seq
    assert found.revision == 1
    assert status(world.wang, "news") is None
    assert status(world.wang, channel="EMAIL") is None
    assert status(world.li) is None


def test_a_withdrawal_ends_it_at_once_and_is_one_call_about_nothing_in_particular(
    world: World,
) -> None:
    say(world, "GRANT")
    say(world, "GRANT", purpose="news", channel="EMAIL")
    with transaction() as session:
        done = consent.withdraw(
            session, CALLER, [world.wang], mechanism="APP", source="app", reference="w1"
        )
    assert len(done) == 2 * len(consent.CHANNELS)
    assert status(world.wang) == status(world.wang, "news", "EMAIL") == "WITHDRAWN"
    assert snapshot(world.wang, "news", "POST").channel_refused


def test_nothing_by_this_channel_stands_over_what_was_agreed_to_before_and_not_after(
    world: World,
) -> None:
    say(world, "GRANT")
    say(world, "GRANT", channel="EMAIL")
    with transaction() as session:
        consent.withdraw(
            session,
            CALLER,
            [world.wang],
            channel="SMS",
            mechanism="SMS_REPLY",
            source="sms",
            reference="TD",
        )
    assert snapshot(world.wang).channel_refused
    assert not snapshot(world.wang, channel="EMAIL").channel_refused
    assert snapshot(world.wang, channel="EMAIL").standing.is_granted
    say(world, "GRANT", occurred_at=None)
    found = snapshot(world.wang)
    assert found.standing.is_granted and not found.channel_refused
    assert snapshot(world.wang, "news").channel_refused


def test_an_agreement_that_is_older_than_a_refusal_does_not_count(world: World) -> None:
    say(world, "REFUSE", occurred_at=NOW - timedelta(days=1))
    assert say(world, "GRANT", occurred_at=NOW - timedelta(days=2)).status == "REFUSED"
    assert say(world, "GRANT", occurred_at=NOW - timedelta(hours=1)).status == "GRANTED"


def test_a_refusal_counts_from_when_it_is_recorded_however_old_it_is(world: World) -> None:
    say(world, "GRANT", occurred_at=NOW - timedelta(days=1))
    assert say(world, "WITHDRAW", occurred_at=NOW - timedelta(days=9)).status == "WITHDRAWN"


def test_an_import_never_stands_over_a_refusal(world: World) -> None:
    say(world, "REFUSE", occurred_at=NOW - timedelta(days=9))
    assert say(world, "IMPORT", occurred_at=NOW - timedelta(days=1)).status == "REFUSED"
    assert say(world, "IMPORT", world.li).status == "GRANTED"


@pytest.mark.parametrize("missing", ["collected_by", "collected_how", "evidence"])
def test_an_import_without_who_when_how_and_notice_is_none(world: World, missing: str) -> None:
    proof = {"collected_by": "b", "collected_how": "h", "evidence": "e"}
    del proof[missing]
    assert code_of(say(world, "IMPORT", proof=proof)) == "consent-unproved"
    assert code_of(say(world, "IMPORT", occurred_at=None)) == "consent-unproved"
    assert code_of(say(world, "IMPORT", notice_id=None)) == "notice-not-in-force"
    assert status(world.wang) is None


@pytest.mark.parametrize(
    ("mechanism", "name"),
    [
        ("PAPER", "scan_sha256"),
        ("CALL", "call_record"),
        ("SMS_REPLY", "inbound_message"),
        ("BRANCH", "witness"),
    ],
)
def test_an_agreement_proves_how_it_was_given(world: World, mechanism: str, name: str) -> None:
    refused = say(world, "GRANT", mechanism=mechanism, proof={"form": "1"})
    assert code_of(refused) == "consent-unproved"
    assert say(world, "GRANT", mechanism=mechanism, proof={name: "7"}).status == "GRANTED"


@pytest.mark.parametrize(
    "proof", [{"name": "7"}, {"witness": "王小明"}, {"witness": "13812345678"}, {"witness": "a b"}]
)
def test_a_proof_holds_no_personal_data(world: World, proof: dict[str, str]) -> None:
    assert code_of(say(world, "WITHDRAW", proof=proof)) == "proof-not-opaque"


def test_on_a_screen_one_agrees_to_what_was_shown_there(world: World) -> None:
    shown = show(world, world.wang)
    other = show(world, world.wang, "news")
    proof = {"session": "s"}
    for wrong in (None, other):
        refused = say(world, "GRANT", mechanism="APP", presentation_id=wrong, proof=proof)
        assert code_of(refused) == "notice-not-shown"
    foreign = say(world, "GRANT", world.li, mechanism="APP", presentation_id=shown, proof=proof)
    assert code_of(foreign) == "notice-not-shown"
    done = say(world, "GRANT", mechanism="APP", presentation_id=shown, proof=proof)
    assert done.status == "GRANTED"


def test_a_form_that_anybody_may_fill_in_counts_once_confirmed(world: World) -> None:
    shown = show(world, world.wang, channel="EMAIL")
    form = {"mechanism": "SELF_FORM", "presentation_id": shown, "proof": {"session": "s"}}
    assert say(world, "GRANT", channel="EMAIL", **form).status == "PENDING"
    assert not snapshot(world.wang, channel="EMAIL").standing.is_granted
    confirmed = say(world, "CONFIRM", channel="EMAIL", mechanism="EMAIL_LINK")
    assert confirmed.status == "GRANTED"
    assert snapshot(world.wang, channel="EMAIL").standing.is_granted


def test_what_is_sensitive_is_agreed_to_by_itself(world: World) -> None:
    alone = {"purpose": "sensitive-data", "channel": "NONE"}
    assert code_of(say(world, "GRANT", **alone)) == "separate-needed"
    bundled = record(
        event(world, "GRANT", reference="one-act"),
        event(world, "GRANT", separate=True, reference="one-act", **alone),
    )
    assert [code_of(one) for one in bundled] == ["", "separate-needed"]
    assert say(world, "GRANT", separate=True, **alone).status == "GRANTED"
    assert snapshot(world.wang).separately == {("sensitive-data", 0)}


def test_each_partner_is_agreed_to_apart(world: World) -> None:
    to = {"purpose": "partner-sharing", "channel": "NONE", "separate": True}
    say(world, "GRANT", partner_id=7, **to)
    say(world, "GRANT", partner_id=8, **to)
    say(world, "WITHDRAW", partner_id=8, purpose="partner-sharing", channel="NONE")
    assert snapshot(world.wang).separately == {("partner-sharing", 7)}
    with transaction() as session:
        consent.withdraw(
            session,
            CALLER,
            [world.wang],
            purpose="partner-sharing",
            mechanism="APP",
            source="app",
            reference="all",
        )
    assert snapshot(world.wang).separately == frozenset()


def test_a_changed_notice_asks_anew_and_a_corrected_one_does_not(world: World) -> None:
    say(world, "GRANT")
    with transaction() as session:
        publish(session, world.offers, body_zh="错字改正", material=False)
    assert snapshot(world.wang).standing.is_granted
    with transaction() as session:
        newer = publish(session, world.offers, body_zh="新的用途")
    found = snapshot(world.wang).standing
    assert (found.status, found.is_granted) == ("GRANTED", False)
    assert (found.material_version, found.required_version) == (1, 2)
    say(world, "GRANT", notice_id=newer.id, occurred_at=None)
    assert snapshot(world.wang).standing.is_granted


def test_the_same_reference_counts_once_and_means_one_thing(world: World) -> None:
    first = say(world, "GRANT", reference="r")
    again = say(world, "GRANT", reference="r")
    assert (again.seq, again.is_repeat) == (first.seq, True)
    assert code_of(say(world, "WITHDRAW", reference="r")) == "reference-reused"
    twice = record(*(event(world, "GRANT", world.li, reference="t") for _ in range(2)))
    assert twice[0].seq == twice[1].seq
    assert [one.is_repeat for one in twice] == [False, True]


def test_a_refused_event_does_not_stop_its_neighbours(world: World) -> None:
    done = record(
        event(world, "GRANT", 999_999),
        event(world, "GRANT", channel="NONE"),
        event(world, "GRANT", occurred_at=NOW + timedelta(days=1)),
        event(world, "GRANT"),
    )
    assert type(done[0].refusal).__name__ == "NotFound"
    assert [code_of(one) for one in done[1:]] == ["wrong-channel", "not-yet-happened", ""]
