"""Proposals are read by those who make, decide or audit their kind, and by nobody else."""

import pytest

from loyalty import proposals
from loyalty.database import transaction
from loyalty.proposals import Kind, Seat
from loyalty.web import Bilingual, Refused, ids
from tests.callers import problem
from tests.proposals.conftest import House, caller_of, decide


def test_a_proposal_shows_content_digest_seats_and_what_it_was_made_in_view_of(
    house: House,
) -> None:
    maker = house.person("operations")
    proposal = house.propose(maker, house.two, 18)
    seen = maker.get(f"/v1/proposals/{ids.encode('prp', proposal.id)}").json
    assert (seen["content"], seen["before"], seen["state"]) == ({"degrees": 18}, 20, "open")
    assert seen["proposed_by"] == maker.name
    assert [(s["seat"], s["roles"], s["by"]) for s in seen["seats"]] == [
        ("head", ["head_office"], None),
        ("money", ["finance"], None),
    ]


@pytest.mark.parametrize(
    ("role", "count"),
    [("operations", 2), ("head_office", 2), ("finance", 1), ("auditor", 2), ("branch", 0)],
)
def test_the_list_holds_the_kinds_that_the_reader_has_to_do_with(
    house: House, role: str, count: int
) -> None:
    maker = house.person("operations")
    house.propose(maker, house.one, 23)
    house.propose(maker, house.two, 18)
    reader = house.person(role)
    assert len(reader.get("/v1/proposals").json["items"]) == count


def test_the_list_is_narrowed_and_paged(house: House) -> None:
    maker, other = house.person("operations"), house.person("operations")
    made = [house.propose(maker, house.one, degrees) for degrees in (21, 22, 23)]
    house.propose(other, house.two, 18)
    decide(house.person("head_office"), made[0], "reject")
    page = maker.get("/v1/proposals", mine="true", state="open", limit=1).json
    assert [item["content"]["degrees"] for item in page["items"]] == [23]
    rest = maker.get(
        "/v1/proposals", mine="true", state="open", limit=1, cursor=page["next_cursor"]
    ).json
    assert [item["content"]["degrees"] for item in rest["items"]] == [22]
    assert rest["next_cursor"] is None
    assert len(maker.get("/v1/proposals", kind="room.cool").json["items"]) == 1
    assert maker.get("/v1/proposals", subject_type="room", subject_id="cellar").json["items"] == []


def test_its_maker_alone_withdraws_it_while_it_is_open(house: House) -> None:
    maker, head = house.person("operations"), house.person("head_office")
    proposal = house.propose(maker, house.one, 23)
    path = f"/v1/proposals/{ids.encode('prp', proposal.id)}/withdrawal"
    bare = {"Authorization": f"Bearer {head.token}", "Idempotency-Key": "a"}
    assert head.application.post(path, headers=bare).status_code == 404
    mine = {"Authorization": f"Bearer {maker.token}", "Idempotency-Key": "b"}
    assert maker.application.post(path, headers=mine).json["state"] == "withdrawn"
    assert problem(decide(head, proposal)) == (409, "proposal-decided")


def test_only_a_maker_of_the_kind_proposes(house: House) -> None:
    head = caller_of(house.person("head_office"))
    with pytest.raises(Refused, match="forbidden"), transaction() as session:
        proposals.propose(session, head, house.one, "room", "kitchen", {})


def test_a_kind_names_makers_seats_and_roles_that_exist() -> None:
    def build(makers: set[str], *seats: Seat) -> Kind:
        return Kind(
            name="a.b",
            title=Bilingual("甲", "A"),
            makers=frozenset(makers),
            seats=seats,
            apply=lambda *_: None,
        )

    with pytest.raises(ValueError, match="at least one seat"):
        build({"finance"})
    with pytest.raises(ValueError, match="no such roles"):
        build({"king"}, Seat.of("head", "head_office"))


def test_a_name_stands_for_one_kind(house: House) -> None:
    assert proposals.find_kind("room.heat") is house.one
    with pytest.raises(ValueError, match="taken"):
        proposals.register(
            Kind(
                name="room.heat",
                title=Bilingual("甲", "A"),
                makers=frozenset({"finance"}),
                seats=(Seat.of("head", "head_office"),),
                apply=lambda *_: None,
            )
        )
