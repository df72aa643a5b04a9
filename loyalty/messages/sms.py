"""Text messages by HTTP: the adapter for Alibaba Cloud's SMS service (Dysmsapi, 2017-05-25).

One POST of a form to the gateway's address, signed by HMAC-SHA1 over the sorted parameters; the
answer is JSON with `Code`, `OK` where the gateway took it, and `BizId`, its name for it. `OutId`
is our reference: the gateway's reports and its file of what it sent name it, so a hand-over
whose answer was lost can be found again. The registered template of the account has one place,
`content`; what it says was registered and approved here.
"""

import base64
import hashlib
import hmac
import http.client
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit
from uuid import uuid4

import orjson

from loyalty.messages.gateways import Gateways
from loyalty.messages.handover import Kind, Receipt
from loyalty.messages.rules import Message

TIMEOUT_SECONDS = 3.0
MOST_BYTES = 16 * 1024


class SmsGateway:
    """One request a message; nothing is kept between them."""

    name = "aliyun-sms"

    def __init__(self, gateways: Gateways) -> None:
        """Prepare without connecting."""
        self._address = urlsplit(gateways.sms_url)
        self._settings = gateways

    def is_ready(self) -> bool:
        """Return whether the gateway's address takes connections."""
        connection = self._connection()
        try:
            connection.connect()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def hand_over(self, message: Message, reference: str) -> Receipt:
        """Give `message` to the gateway: what was sent and not answered, nobody knows."""
        body = sign_form(self._parameters(message, reference), self._settings.sms_secret)
        connection = self._connection()
        try:
            connection.connect()
        except OSError:
            return Receipt(Kind.REFUSED, "unreachable")
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", self._address.path or "/", body, headers)
            answer = connection.getresponse()
            return _read(answer.status, answer.read(MOST_BYTES))
        except (OSError, http.client.HTTPException):
            return Receipt(Kind.UNKNOWN, "no-answer")
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection
        chosen = kind if self._address.scheme == "https" else http.client.HTTPConnection
        host = self._address.hostname or ""
        return chosen(host, self._address.port, timeout=TIMEOUT_SECONDS)

    def _parameters(self, message: Message, reference: str) -> dict[str, str]:
        content = message.text.removeprefix(f"【{self._settings.sender.name}】")
        return {
            "Action": "SendSms",
            "Version": "2017-05-25",
            "Format": "JSON",
            "AccessKeyId": self._settings.sms_key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid4().hex,
            "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "PhoneNumbers": message.contact.removeprefix("+86"),
            "SignName": self._settings.sms_signature,
            "TemplateCode": self._settings.sms_template,
            "TemplateParam": orjson.dumps({"content": content}).decode(),
            "OutId": reference,
        }


def sign_form(parameters: Mapping[str, str], secret: str) -> str:
    """Return the parameters as a form with their signature in it."""
    canonical = "&".join(f"{_quote(n)}={_quote(parameters[n])}" for n in sorted(parameters))
    content = f"POST&{_quote('/')}&{_quote(canonical)}"
    digest = hmac.new(f"{secret}&".encode(), content.encode(), hashlib.sha1).digest()
    return f"{canonical}&Signature={_quote(base64.b64encode(digest).decode())}"


def _quote(text: str) -> str:
    return quote(text, safe="-_.~")


def _read(status: int, raw: bytes) -> Receipt:
    """Return what an answer means; one that makes no sense tells nothing."""
    try:
        answer = orjson.loads(raw)
        code, reference = str(answer["Code"]), str(answer.get("BizId", ""))
    except (ValueError, TypeError, KeyError):
        return Receipt(Kind.UNKNOWN, f"http-{status}", raw=raw)
    if status >= 500:
        return Receipt(Kind.UNKNOWN, f"http-{status}", raw=raw)
    return Receipt(Kind.ACCEPTED if code == "OK" else Kind.REFUSED, code, reference, raw)
