"""A body means one thing or is refused with 400, 413, 415 or 422; no body answers 500."""

import json

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import bearer


def send(
    client: FlaskClient, raw: bytes, content_type: str = "application/json"
) -> tuple[int, str]:
    response = client.post(
        "/v1/things", data=raw, content_type=content_type, headers=bearer("bank")
    )
    code = (response.get_json(force=True).get("type") or "").rsplit("/", 1)[-1]
    return response.status_code, code


@pytest.mark.parametrize("amount", [b"1", b"2147483648", b"9007199254740991"])
def test_a_whole_amount_in_range_is_taken(client: FlaskClient, amount: bytes) -> None:
    assert send(client, b'{"amount":%s}' % amount)[0] == 200


@pytest.mark.parametrize(
    "amount",
    [
        "-1", "0", "0.5", "1.0", "1e3", '"5"', "true", "false", "null", "1.9", "[]", "{}",
        "9007199254740992", "9223372036854775807", "9223372036854775808", "1" + "0" * 40,
        '"１２３"', '"1_000"', "-0.0", "1E400",
    ],
)  # fmt: skip
def test_what_is_not_a_positive_safe_integer_is_no_amount(client: FlaskClient, amount: str) -> None:
    assert send(client, f'{{"amount":{amount}}}'.encode()) == (422, "invalid-content")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"amount":1,"amount":2}',
        b'{"amount":1,"note":{"a":1,"a":2}}',
        b'{"amount":NaN}',
        b'{"amount":Infinity}',
        b'{"amount":-Infinity}',
        b'{"amount":' + b"9" * 5_000 + b"}",
        b'{"amount":1,"note":"a\\u0000b"}',
        b'{"amount":1,"no\\u0000te":"a"}',
        b'{"amount":1,"note":"\\ud800"}',
        b'{"amount":1,"note":"\\uDFFF x"}',
        b'{"amount":1,"note":"a\x00b"}',
        b'{"amount":1,"note":"\xff"}',
        b'{"amount":1,"note":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"amount":1}',
        '{"amount":1}'.encode("utf-16"),
        b"",
        b"{",
        b'{"amount":01}',
        b"{'amount':1}",
        b'{"amount":1}x',
        b'{"amount":1,}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 33 + b"]" * 33,
        b'[{"a":' * 17 + b"1" + b"}]" * 17,
    ],
)
def test_what_is_not_one_plain_json_text_is_refused(client: FlaskClient, raw: bytes) -> None:
    assert send(client, raw) == (400, "malformed-json")


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 32 + b"]" * 32,
        b'"' + b"[" * 200 + b'"',
        b'"\\"' + b"[" * 200 + b'"',
        b"[" + b",".join([b'{"a":[1]}'] * 100) + b"]",
    ],
)
def test_depth_counts_nesting_and_not_brackets(client: FlaskClient, raw: bytes) -> None:
    assert send(client, raw) == (422, "invalid-content")


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"x"', b"{}", b'{"amount":1,"balance":9}'])
def test_json_of_another_shape_is_refused(client: FlaskClient, raw: bytes) -> None:
    assert send(client, raw) == (422, "invalid-content")


def test_astral_and_right_to_left_text_comes_through_unchanged(client: FlaskClient) -> None:
    raw = json.dumps({"amount": 1, "note": "🎉\u202eאבג\u200d\n張"}).encode()
    assert send(client, raw)[0] == 200


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/xml", "text/json",
     "application/json; charset=utf-16", "application/json; charset=latin-1"],
)  # fmt: skip
def test_another_content_type_is_refused(client: FlaskClient, content_type: str) -> None:
    assert send(client, b'{"amount":1}', content_type) == (415, "unsupported-media-type")


def test_the_charset_utf_8_may_be_said(client: FlaskClient) -> None:
    assert send(client, b'{"amount":1}', "application/json; charset=UTF-8")[0] == 200


def test_a_body_over_the_limit_is_refused(client: FlaskClient) -> None:
    assert send(client, b'"' + b"x" * 1_048_577 + b'"') == (413, "too-large")


def test_a_route_may_have_its_own_limit(client: FlaskClient) -> None:
    body = {"things": [{"amount": 1, "note": "x" * 50}] * 40}
    response = client.post("/v1/many", json=body, headers=bearer("bank"))
    assert response.status_code == 413


def test_errors_point_to_each_place(client: FlaskClient) -> None:
    body = {"things": [{"amount": 1}, {"amount": "x", "a/b~": 1}, {"note": ""}]}
    response = client.post(
        "/v1/many", json=body, headers=bearer("bank", Accept_Language="en-GB,en;q=0.9")
    )
    errors = response.get_json()["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/things/1/amount", "integer"),
        ("/things/1/a~1b~0", "unknown"),
        ("/things/2/amount", "required"),
        ("/things/2/note", "length"),
    }
    assert response.headers["Content-Language"] == "en"


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=st.one_of(st.binary(max_size=200), st.text(alphabet='[]{}",:\\u0d81n', max_size=80)))
def test_no_bytes_make_the_service_fail(client: FlaskClient, raw: bytes | str) -> None:
    sent = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass")
    assert send(client, sent)[0] in (400, 415, 422)
