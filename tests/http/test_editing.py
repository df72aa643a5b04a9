"""Nobody edits what they have not seen, and nobody is sent again what they have (RFC 9110).

An edit names the state that it was made in view of; of two editors who saw the same, one is told
that it moved. What a tagged route answers is not sent again while it is the same.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty.web import Endpoint, ids
from tests.callers import Client, add_person, add_system, problem
from tests.partners.builders import add_outlet, add_partner
from tests.points.builders import World


@pytest.fixture
def manager(client: FlaskClient, world: World) -> Client:
    """Somebody who looks after partners."""
    return add_person(client, "partner_manager")


@pytest.fixture
def outlet(world: World) -> str:
    """The path of an outlet."""
    partner = add_partner("harbour-mall")
    number = ids.encode("otl", add_outlet(partner, "first"))
    return f"/v1/partners/{ids.encode('prt', partner)}/outlets/{number}"


def test_an_edit_says_what_it_saw(manager: Client, outlet: str) -> None:
    seen = manager.get(outlet)
    assert problem(manager.patch(outlet, {"is_open": False})) == (428, "precondition-required")
    for stale in ('"0"', f"W/{seen.headers['ETag']}", "nonsense"):
        refused = manager.patch(outlet, {"is_open": False}, match=stale)
        assert problem(refused) == (412, "precondition-failed")
        assert refused.headers["ETag"] == seen.headers["ETag"]
    assert manager.get(outlet).get_json() == seen.get_json()
    done = manager.patch(outlet, {"is_open": False}, "once", match=seen.headers["ETag"])
    assert (done.status_code, done.headers["ETag"]) == (204, manager.tag(outlet))
    again = manager.patch(outlet, {"is_open": False}, "once", match=seen.headers["ETag"])
    assert (again.status_code, again.headers["ETag"]) == (204, done.headers["ETag"])
    assert problem(manager.patch(outlet, {"address": "2"}, match=seen.headers["ETag"]))[0] == 412
    assert manager.patch(outlet, {"address": "2"}, match="*").status_code == 204
    now = {**seen.get_json(), "is_open": False, "address": "2"}
    assert manager.get(outlet).get_json() == now


def test_of_two_who_saw_the_same_one_edits(manager: Client, outlet: str) -> None:
    seen = manager.tag(outlet)

    def edit(number: int) -> int:
        editor = Client(manager.application.application.test_client(), manager.token, "")
        return editor.patch(outlet, {"address": f"门牌 {number}"}, match=seen).status_code

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(edit, range(4)))
    assert answers == [204, 412, 412, 412]


def test_a_clerk_is_changed_in_view_of_their_state(manager: Client, outlet: str) -> None:
    partner, number = outlet.split("/outlets/")
    made = manager.post(
        f"{partner}/clerks", {"outlet_id": number, "login": "wang", "name": "王五"}
    ).get_json()
    clerk = f"{partner}/clerks/{made['clerk_id']}"
    assert problem(manager.patch(clerk, {"is_enabled": False}))[0] == 428
    assert manager.patch(clerk, {"is_enabled": False}, match=manager.tag(clerk)).status_code == 204
    assert manager.get(clerk).get_json()["is_enabled"] is False


def test_wishes_may_name_what_they_replace(client: FlaskClient, world: World) -> None:
    system = add_system(client, "consents:read", "consents:write")
    path = f"/v1/customers/{ids.encode('cus', world.customers['00001'])}/preferences"
    seen = system.get(path)
    assert seen.headers["Cache-Control"] == "no-store"
    once: dict[str, Any] = {"weekly_cap": 1, "topics_off": []}
    assert system.put(path, once, match=seen.headers["ETag"]).status_code == 200
    assert problem(system.put(path, once, match=seen.headers["ETag"]))[0] == 412
    assert system.put(path, {**once, "weekly_cap": 2}).status_code == 200


def test_what_is_known_is_not_sent_again(client: FlaskClient, world: World) -> None:
    anybody = add_system(client)
    for path in ("/v1/openapi.json", "/v1/programmes/sample/tiers", "/v1/rewards", "/v1/purposes"):
        first = anybody.get(path)
        tag = first.headers["ETag"]
        assert "no-cache" in first.headers["Cache-Control"], path
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = anybody.get(path, known=known)
            assert (again.status_code, again.data) == (304, b""), (path, known)
            assert again.headers["ETag"] == tag
        assert anybody.get(path, known='"other"').data == first.data


def test_every_change_in_place_is_guarded(routes: list[Endpoint]) -> None:
    replacing = {route.name for route in routes if route.method in ("PUT", "PATCH")}
    guarded = {route.name for route in routes if route.edits is not None}
    assert replacing - guarded == {"PUT /v1/imports/{import_id}/file"}  # refused once it is there
    tagged = {route.path for route in routes if route.tagged}
    for name in guarded - {"POST /v1/campaigns/{campaign_id}/versions"}:
        assert name.split()[1] in tagged, name
