"""Browser windows for tests: each keeps what went wrong, and holds its pages to the rules."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page

from loyalty.database import transaction
from loyalty.web import sessions

WCAG = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"],
    }
}
# Language, width and colours: each value of each stands at least once beside each of another.
VIEWS = [("zh", 320, "dark"), ("zh", 1440, "light"), ("en", 320, "light"), ("en", 1440, "dark")]
EVIL = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>"\'><b>'


class Watched:
    """A browser window of which everything that went wrong is kept."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self.address = context, address
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.expected: set[int] = set()
        self.page.on("console", lambda said: self._note(f"console: {said.type} {said.text}"))
        self.page.on("pageerror", lambda error: self._note(f"script: {error}"))
        self.page.on("request", self._look_at_request)

    def _note(self, fault: str) -> None:
        if not any(f"status of {status}" in fault for status in self.expected):
            self.faults.append(fault)

    def _look_at_request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:")):
            self.faults.append(f"another host: {request.url}")

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def wait_for_cursor(self, place: str = "main input") -> None:
        """Wait until the cursor stands in a field: a page puts it there after it is loaded."""
        self.page.wait_for_function("place => document.activeElement.matches(place)", arg=place)

    def violations(self) -> list[str]:
        """Return what axe finds wrong, each with the first element that it finds it in."""
        found = Axe().run(self.page, options=WCAG).response["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]

    def check(self) -> None:
        """Hold the page as it stands against everything that holds for every page."""
        where = self.page.url
        self.faults += self.violations()
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if wide > 0:
            self.faults.append(f"{wide} pixels too wide")
        if self.page.evaluate("window.hit"):
            self.faults.append("ran what somebody had entered")
        assert self.faults == [], (where, self.faults)


def open_window(
    chromium: Chromium, address: str, view: tuple[str, int, str], **cookies: str
) -> Watched:
    language, width, scheme = view
    context = chromium.new_context(
        locale={"zh": "zh-CN", "en": "en-GB"}.get(language, "en-GB"),
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    jar = {"quanyi-" + kind: secret for kind, secret in cookies.items()}
    if language == "pseudo":
        jar["language"] = "pseudo"
    context.add_cookies([{"name": n, "value": v, "url": address} for n, v in jar.items()])
    return Watched(context, address)


def session_of(kind: str, subject_id: int) -> str:
    with transaction() as session:
        return sessions.start(session, kind, subject_id, "test", confirmed=True)
