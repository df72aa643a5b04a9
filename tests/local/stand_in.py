"""A small plan in place of the real one: what the supervisor promises holds for any programs.

Its web answers at /readyz and writes down what it was given; its worker has a child in a session
of its own that ignores SIGTERM, as a stubborn job might.
"""

import os
import sys

from loyalty.local.plan import Plan, Program
from loyalty.local.processes import CannotStart
from loyalty.local.roles import WEB
from loyalty.local.supervisor import run

NOTE = """
import json, os, sys
from pathlib import Path
names = ("DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "QUANYI_ENV", "PORT")
note = Path(os.environ["QUANYI_HOME"]) / (sys.argv[1] + ".json")
note.write_text(json.dumps({name: os.environ.get(name) for name in names}))
"""

ANSWER = """
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""

STUBBORN = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(300)
"""

WAIT = "import time; time.sleep(300)"


def python(name: str, source: str, login: str = WEB) -> Program:
    return Program(name, (sys.executable, "-c", source, name), login)


def plan(step: str) -> Plan:
    return Plan(
        steps=(python("migrate", NOTE + step),),
        services=(
            python("web", NOTE + ANSWER),
            python("worker", STUBBORN),
            python("relay", WAIT),
        ),
        welcome=python("welcome", "print('Welcome', flush=True)"),
    )


if __name__ == "__main__":
    try:
        run(os.environ, plan(os.environ.get("STEP", "")))
    except CannotStart as refusal:
        sys.exit(str(refusal))
