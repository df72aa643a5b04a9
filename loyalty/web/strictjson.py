"""JSON as we accept it: one meaning per text, and nothing that a later layer cannot store.

The standard parser is used because it alone tells about repeated keys; it is written in C and
reads a small body in some microseconds.
"""

import json
import re
from json import JSONDecodeError
from typing import Any, NoReturn

from loyalty.web.errors import Refused

DEPTH = 32

# Only these escapes can bring in a NUL or a lone surrogate: without one, no string needs a look.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_EMPTY_PAIR = re.compile(rb"\{\}|\[\]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


def parse(raw: bytes) -> Any:
    """Return what `raw` says.

    Raises `Refused` with `malformed-json` on anything but UTF-8 JSON with unique keys, no NaN or
    Infinity, at most 32 levels, no NUL, no lone surrogate and no number of thousands of digits.
    """
    # A body with few opening brackets cannot be deep, so most are never scanned.
    if raw.count(b"[") + raw.count(b"{") > DEPTH and _is_deep(raw):
        refuse(f"嵌套超过 {DEPTH} 层", f"nested deeper than {DEPTH} levels")
    try:
        content = _DECODER.decode(raw.decode("utf-8"))
    except JSONDecodeError as error:
        refuse(f"第 {error.pos} 个字符处有误", f"not JSON at character {error.pos}")
    except UnicodeDecodeError:
        refuse("不是 UTF-8 编码", "not in UTF-8")
    except ValueError:
        refuse("数字过长", "a number has too many digits")
    if _SUSPECT.search(raw):
        _check_strings(content)
    return content


def refuse(zh: str, en: str) -> NoReturn:
    """Raise the refusal of a body that is not acceptable JSON."""
    raise Refused("malformed-json", (f"请求体有误:{zh}。", f"The body is refused: {en}."))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        refuse("有重复的键", "a key stands twice in one object")
    return content


def _constant(_: str) -> NoReturn:
    refuse("不接受 NaN 和 Infinity", "NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def _is_deep(raw: bytes) -> bool:
    """Scan before parsing, so that depth never becomes the parser's recursion.

    Of the text only the brackets are kept. Taking away the empty pairs takes one level off every
    branch, so what outlives `DEPTH` rounds is deeper than that (or is no JSON at all).
    """
    brackets = _STRING.sub(b"", raw).translate(None, _NO_BRACKET)
    for _ in range(DEPTH):
        if not brackets:
            return False
        brackets = _EMPTY_PAIR.sub(b"", brackets)
    return b"[" in brackets or b"{" in brackets


def _check_strings(content: Any) -> None:
    if isinstance(content, str):
        if "\0" in content:
            refuse("文本中有 NUL 字符", "a text contains the NUL character")
        if any("\ud800" <= character <= "\udfff" for character in content):
            refuse("文本中有残缺的代理字符", "a text contains a lone surrogate")
    elif isinstance(content, dict):
        for name, value in content.items():
            _check_strings(name)
            _check_strings(value)
    elif isinstance(content, list):
        for value in content:
            _check_strings(value)
