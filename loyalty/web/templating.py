"""What every template may use: words, numbers, days, assets, icons, the form's token, the menu."""

import secrets
from datetime import datetime
from typing import Any

from flask import Flask, g, request
from jinja2 import StrictUndefined
from markupsafe import Markup

from loyalty.web import assets, ids, words
from loyalty.web.problems import Bilingual, find_problem
from loyalty.web.screens import CODE, KEY, TOKEN, form_token
from loyalty.web.sites import SITES, Entry, Site

GROUPS = {
    "1-customers": Bilingual("客户", "Customers"),
    "2-programme": Bilingual("计划", "Programme"),
    "3-records": Bilingual("账目", "Records"),
    "4-me": Bilingual("我的账号", "My account"),
}
"""The headings of the console's menu, in order."""


def prepare(app: Flask) -> None:
    """Give the templates of `app` what they use; a name that nobody gave is an error."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        t=words.t,
        pick=words.pick,
        html_language=words.html_language,
        page_language=words.language,
        asset=assets.address_of,
        form_fields=form_fields,
        needs_code=needs_code,
        refusal=refusal,
        entered=entered,
        site=site,
        menu=menu,
        here=here,
        path_and_query=path_and_query,
        public_id=ids.encode,
        group_words=lambda group: words.pick(GROUPS[group]),
        caller=lambda: g.get("caller"),
        zone_name=lambda: g.get("zone_name", words.ZONE),
    )
    app.jinja_env.filters.update(
        number=words.number,
        signed=words.signed,
        money=words.money,
        day=words.day,
        moment=words.moment,
        instant=lambda written: words.moment(datetime.fromisoformat(written)),
        month=words.month,
    )


def form_fields(*, key: bool = False) -> Markup:
    """Return the hidden fields of a form: its token, and its own key where it acts once."""
    fields = Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN, form_token())
    if key:
        fields += Markup('<input type="hidden" name="{}" value="{}">').format(
            KEY, g.get("entered_key") or secrets.token_urlsafe(16)
        )
    return fields


def needs_code() -> bool:
    """Return whether a form on this page that asks for the second factor must show its field."""
    signed = g.get("signed")
    return signed is None or not signed.confirmed


def refusal() -> dict[str, Any] | None:
    """Return why the form of this page was refused, in words; None where it was not."""
    refused = g.get("refusal")
    if refused is None:
        return None
    problem = find_problem(refused.code)
    detail = refused.detail or problem.explanation
    return {
        "title": words.pick(problem.title),
        "detail": detail if isinstance(detail, str) else words.pick(detail),
        "remedy": words.pick(problem.remedy),
        "fields": {
            str(e.get("pointer", "")).strip("/").split("/")[0]: words.pick(e["detail"])
            for e in refused.errors
        },
        "asks_for_code": refused.code in ("confirmation-needed", "confirmation-failed"),
        "code_field": CODE,
    }


def entered(name: str, default: str = "") -> str:
    """Return what was entered into a field of the refused form, so that nobody types it again."""
    return str(g.get("entered", {}).get(name, default))


def site() -> Site | None:
    """Return the site that this page belongs to; None for the public pages."""
    return SITES.get(request.environ.get("quanyi.site", "") or _site_of_path())


def _site_of_path() -> str:
    return next(
        (kind for kind, one in SITES.items() if f"{request.path}/".startswith(f"{one.home}/")), ""
    )


def menu() -> list[Entry]:
    """Return the entries of this page's menu that its reader may open."""
    found, who = site(), g.get("caller")
    if found is None or who is None or g.get("signed") is None:
        return []
    return found.entries(who)


def here(path: str) -> bool:
    """Return whether this page is `path` or stands below it."""
    homes = {one.home for one in SITES.values()}
    return request.path == path or (path not in homes and request.path.startswith(f"{path}/"))


def path_and_query() -> str:
    """Return where the reader is, to come back to; of a refused form, the page that shows it."""
    return request.full_path.rstrip("?") if request.method == "GET" else request.path
