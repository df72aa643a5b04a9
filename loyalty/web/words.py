"""The two languages of the pages: which one is wanted, and words, numbers and days in it.

Both languages stand side by side where they are used, so neither can be forgotten; see
docs/decisions/0142. In templates: `t("共 {count} 笔", "{count} lines", count=7)`.
"""

import re
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from flask import g, has_request_context, request

from loyalty.settings import settings
from loyalty.web.problems import Bilingual

LANGUAGES = ("zh", "en")
PSEUDO = "pseudo"
"""Accented and a third longer: shows what is not translated and what does not fit."""
COOKIE = "language"
ZONE = "Asia/Shanghai"

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_ACCENTED = str.maketrans("aeiouAEIOUcnsy", "àéîöûÀÉÎÖÛçñšý")
_WIDE = {",": "，", ";": "；", ":": "：", "?": "？", "!": "！"}
_HAN = "\u4e00-\u9fff》”）"
_NARROW = re.compile(rf"(?<=[{_HAN}])[,;:?!]|[,;:?!](?=[{_HAN}])")
_BRACKETS = re.compile(rf"(?<=[{_HAN}])\(([^()]*)\)")
_FIELD = re.compile(r"(\{\w*\})")


def language() -> str:
    """Return `zh` or `en` (or the pseudo-language) as the cookie says, else the browser."""
    if not has_request_context():
        return "zh"
    if "language" not in g:
        g.language = _choose(request.cookies.get(COOKIE, ""))
    chosen: str = g.language
    return chosen


def _choose(wanted: str) -> str:
    if wanted in LANGUAGES or (wanted == PSEUDO and not settings().is_production):
        return wanted
    return request.accept_languages.best_match(LANGUAGES, "zh") or "zh"


def html_language() -> str:
    """Return the language as the `lang` attribute names it."""
    return "zh-CN" if language() == "zh" else "en"


def t(zh: str, en: str, **values: object) -> str:
    """Return the words in the reader's language, with `{name}` filled from `values`.

    An English `one` beside them stands where `count` is 1.
    """
    one = values.pop("one", None)
    if isinstance(one, str) and values.get("count") == 1:
        en = one
    shown = {name: number(v) if type(v) is int else v for name, v in values.items()}
    words = pick((zh, en))
    return words.format(**shown) if shown else words


def pick(words: Bilingual | tuple[str, str]) -> str:
    """Return one of two words that a slice brings along."""
    zh, en = words
    chosen = language()
    if chosen == "zh":
        return punctuate(zh)
    return en if chosen == "en" else pseudo(en)


@lru_cache(maxsize=4096)
def punctuate(zh: str) -> str:
    """Return Chinese words with punctuation of full width, as it is printed.

    Texts that also go to terminals and logs are written with the narrow marks.
    """
    return _NARROW.sub(lambda mark: _WIDE[mark[0]], _BRACKETS.sub(r"（\1）", zh))


def pseudo(words: str) -> str:
    """Return `words` accented and lengthened; what is filled in stays as it is."""
    parts = [p if p.startswith("{") else p.translate(_ACCENTED) for p in _FIELD.split(words)]
    return f"[{''.join(parts)}{'~' * (len(words) // 3)}]"


def number(amount: int) -> str:
    """Return a whole number in groups of three, with a real minus sign."""
    return f"{amount:,}".replace("-", "−")


def signed(amount: int) -> str:
    """Return a whole number that always shows its sign."""
    return f"+{amount:,}" if amount > 0 else number(amount)


def money(minor: int) -> str:
    """Return an amount with two minor digits."""
    sign = "−" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100:,}.{abs(minor) % 100:02}"


def zone() -> ZoneInfo:
    """Return the time zone that this page shows its days in."""
    name = g.get("zone_name", ZONE) if has_request_context() else ZONE
    return ZoneInfo(name)


def show_zone(name: str) -> None:
    """Show the days and times of this page in a programme's zone."""
    g.zone_name = name


def day(value: date | datetime | None) -> str:
    """Return a day as it is written in the language; an instant's day is the zone's."""
    if value is None:
        return t("长期", "no end")
    if isinstance(value, datetime):
        value = value.astimezone(zone()).date()
    if language() == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime) -> str:
    """Return an instant as day and minute in the page's zone."""
    local = value.astimezone(zone())
    return f"{day(value)} {local:%H:%M}"


def month(value: date) -> str:
    """Return a month."""
    if language() == "zh":
        return f"{value.year}年{value.month}月"
    return f"{_MONTHS[value.month - 1]} {value.year}"
