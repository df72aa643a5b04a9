"""Some roles never stand together in one person, whatever the order or the race."""

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from threading import Barrier

import pytest

from loyalty import staff
from loyalty.database import transaction
from loyalty.staff.models import ROLES
from loyalty.staff.people import VALUE_ROLES, find_conflict
from loyalty.web import Refused
from tests.staff.conftest import ADMIN, add_person

APART = [("security_admin", role) for role in sorted(VALUE_ROLES)]
APART.append(("marketing_maker", "marketing_checker"))


@pytest.mark.parametrize("pair", list(permutations(ROLES, 2)))
def test_exactly_these_pairs_are_apart(pair: tuple[str, str]) -> None:
    apart = pair in APART or pair[::-1] in APART
    assert (find_conflict(pair) is not None) == apart


def test_the_second_of_two_is_refused(branch: int) -> None:
    for number, pair in enumerate(APART + [pair[::-1] for pair in APART]):
        person = add_person(f"li{number}", branch, pair[0])
        with pytest.raises(Refused, match="roles-conflict"), transaction() as session:
            staff.grant_role(session, ADMIN, person, pair[1])
        with transaction() as session:
            assert staff.roles_of(session, person) == {pair[0]}


def test_of_two_grants_at_once_one_is_refused(branch: int) -> None:
    person = add_person("li", branch)
    barrier = Barrier(2)

    def grant(role: str) -> bool:
        barrier.wait()
        try:
            with transaction() as session:
                staff.grant_role(session, ADMIN, person, role)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        granted = list(pool.map(grant, ["marketing_maker", "marketing_checker"]))
    assert sorted(granted) == [False, True]


def test_an_unknown_role_is_refused(branch: int) -> None:
    with pytest.raises(Refused, match="unknown-role"):
        add_person("li", branch, "king")
