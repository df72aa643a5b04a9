"""Stops, wishes, fitness and contact points are known at once, and each change is noticed."""

from datetime import time, timedelta

import pytest

from loyalty import consent, customers, vault
from loyalty.consent import NewContact, NewFact, NewSuppression, Preference
from loyalty.database import transaction
from loyalty.web import NotFound, Refused
from tests.consent.builders import CALLER, NOW, World, snapshot

PHONE = "13812345678"


def stop(**changed: object) -> int:
    content: dict[str, object] = {
        "scope": "ALL",
        "reason": "legal-hold",
        "source": "bank",
        "reference": "s-1",
        **changed,
    }
    with transaction() as session:
        return consent.suppress(session, CALLER, [NewSuppression(**content)])[0]  # type: ignore[arg-type]


def contact(customer_id: int, value: str = PHONE, kind: str = "PHONE", **more: object) -> int:
    new = NewContact(customer_id=customer_id, kind=kind, value=value, **more)  # type: ignore[arg-type]
    with transaction() as session:
        return consent.add_contacts(session, [new])[0]


def fact(customer_id: int, kind: str, value: str, reference: str = "f", **more: object) -> None:
    new = NewFact(
        customer_id=customer_id,
        kind=kind,
        value=value,
        source="bank",
        reference=reference,
        **more,  # type: ignore[arg-type]
    )
    with transaction() as session:
        consent.add_facts(session, CALLER, [new])


def stops(customer_id: int, purpose: str = "offers", channel: str = "SMS") -> list[int]:
    return [one.id for one in snapshot(customer_id, purpose, channel).suppressions]


def test_a_stop_meets_what_it_is_about(world: World) -> None:
    everything = stop(customer_id=world.wang)
    by_sms = stop(customer_id=world.wang, scope="CHANNEL", scope_value="SMS")
    offers = stop(customer_id=world.wang, scope="PURPOSE", scope_value="offers")
    topic = stop(customer_id=world.wang, scope="TOPIC", scope_value="loans")
    assert stops(world.wang) == [everything, by_sms, offers]
    assert stops(world.wang, "news", "EMAIL") == [everything]
    assert stops(world.li) == []
    with transaction() as session:
        found = consent.read_snapshot(
            session, [world.wang], purpose="news", channel="POST", topics=["loans"]
        )
    assert [one.id for one in found[world.wang].suppressions] == [everything, topic]


def test_a_stop_begins_and_ends_by_time_or_by_hand_and_its_end_is_another_row(
    world: World,
) -> None:
    over = {"starts_at": NOW - timedelta(days=2), "ends_at": NOW - timedelta(days=1)}
    stop(customer_id=world.wang, **over)
    stop(customer_id=world.wang, starts_at=NOW + timedelta(days=1))
    number = stop(customer_id=world.wang, ends_at=NOW + timedelta(days=1))
    assert stops(world.wang) == [number]
    revision = snapshot(world.wang).revision
    with transaction() as session:
        consent.end_suppression(session, CALLER, number, "resolved")
        consent.end_suppression(session, CALLER, number, "again")
    assert stops(world.wang) == []
    assert snapshot(world.wang).revision > revision
    with transaction() as session:
        listed = consent.list_suppressions(session, world.wang)
    assert [row.ended_at is None for row in listed] == [True, True, False]
    with pytest.raises(NotFound), transaction() as session:
        consent.end_suppression(session, CALLER, 999, "x")


def test_a_stop_by_contact_meets_whoever_has_it_under_any_name(world: World) -> None:
    contact(world.wang)
    contact(world.li, "+86 138-1234-5678")
    before = [snapshot(one).revision for one in (world.wang, world.li)]
    digest = consent.contact_digest("PHONE", "(+86)13812345678")
    number = stop(scope="CONTACT_POINT", contact_digest=digest, reason="opt-out")
    assert stops(world.wang) == stops(world.li) == [number]
    assert stops(world.wang, channel="EMAIL") == []
    after = [snapshot(one).revision for one in (world.wang, world.li)]
    assert all(new > old for new, old in zip(after, before, strict=True))


def test_a_stop_for_nobody_is_refused(world: World) -> None:
    with pytest.raises(NotFound):
        stop(customer_id=999_999)


def test_the_best_contact_point_is_the_one_that_is_verified_and_alive(world: World) -> None:
    old = contact(world.wang, verified_at=NOW, ownership_checked_at=NOW - timedelta(days=400))
    contact(world.wang, "13912345678")
    assert snapshot(world.wang).contact.id == old
    fresh = contact(world.wang, "13712345678", verified_at=NOW, ownership_checked_at=NOW)
    assert snapshot(world.wang).contact.id == fresh
    assert contact(world.wang, "137 1234 5678") == fresh
    with transaction() as session:
        consent.give_up(session, [fresh], "bounced")
    assert snapshot(world.wang).contact.id == old
    assert snapshot(world.wang, channel="EMAIL").contact is None
    assert snapshot(world.wang, channel="IN_APP").contact is None
    with transaction() as session:
        assert consent.unseal_contacts(session, [old, fresh]) == {
            old: "+8613812345678",
            fresh: "+8613712345678",
        }


@pytest.mark.parametrize(("kind", "value"), [("PHONE", "12"), ("EMAIL", "no"), ("DEVICE", " ")])
def test_what_is_no_contact_is_refused(world: World, kind: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        contact(world.wang, value, kind)
    assert refused.value.code == "not-a-contact"


def test_the_newest_fact_of_a_kind_counts_whatever_order_they_come_in(world: World) -> None:
    fact(world.wang, "risk_grade", "3", "a", as_of=NOW - timedelta(days=1))
    fact(world.wang, "risk_grade", "5", "b", as_of=NOW - timedelta(days=9))
    fact(world.wang, "age_band", "FROM_65")
    fact(world.wang, "deceased", "yes")
    found = snapshot(world.wang).eligibility
    assert (found.risk_grade, found.risk_assessed_at) == (3, NOW - timedelta(days=1))
    assert (found.age_band, found.deceased, found.restricted) == ("FROM_65", True, False)
    with pytest.raises(Refused):
        fact(world.wang, "risk_grade", "6", "c")


def test_wishes_take_the_place_of_those_before(world: World) -> None:
    wishes = Preference(
        weekly_cap=1, topics_off=("loans",), hours_from=time(9), hours_until=time(18)
    )
    with transaction() as session:
        first = consent.set_preference(session, CALLER, world.wang, wishes)
        consent.set_preference(session, CALLER, world.wang, Preference(personalisation_off=True))
    assert first.version == 1 and first.weekly_cap == 1
    found = snapshot(world.wang).preference
    assert (found.version, found.weekly_cap, found.personalisation_off) == (2, None, True)
    assert snapshot(world.li).preference.version == 0


def test_erasure_empties_contacts_and_fitness_and_keeps_what_was_agreed_to(world: World) -> None:
    number = contact(world.wang, verified_at=NOW)
    fact(world.wang, "risk_grade", "3")
    with transaction() as session:
        customers.erase(session, world.wang, vault.Reason.REQUEST)
    found = snapshot(world.wang)
    assert not found.active and found.contact is None and found.eligibility.risk_grade is None
    with transaction() as session:
        assert consent.unseal_contacts(session, [number]) == {}
    with pytest.raises(NotFound):
        contact(world.wang)
    with pytest.raises(NotFound):
        fact(world.wang, "risk_grade", "4", "later")
