"""
A platform in one file: takes the ticket of a staff member, and shows whom they see.

    API=http://127.0.0.1:8000/api/v1 KEY=bk_… PORT=3000 python3 platform.py

The platform's impersonation address is then http://127.0.0.1:3000/ (its home address will do).
Nothing but Python is needed. A real platform keeps its sessions in its own store.
"""

import html
import http.cookies
import http.server
import json
import os
import secrets
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

API, KEY = os.environ["API"], os.environ["KEY"]
LONGEST_FORM = 4096

# What the browser's cookie names: the marker of an impersonation. Apart from users' own sessions.
looks: dict[str, str] = {}


def call(method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Call the back office with the platform's key; return status and JSON."""
    request = urllib.request.Request(  # noqa: S310  # The operator's own address.
        f"{API}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # Likewise.
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"{}")


class Platform(http.server.BaseHTTPRequestHandler):
    """Answers a browser."""

    def do_POST(self) -> None:
        """Take a ticket, or stop."""
        if self.path == "/stop":
            marker = looks.pop(self.session(), "")
            if marker:
                call("DELETE", f"/impersonations/{marker}")
            self.lead_home("")
            return
        length = min(int(self.headers.get("Content-Length", 0)), LONGEST_FORM)
        form = urllib.parse.parse_qs(self.rfile.read(length).decode())
        ticket = form.get("ticket", [""])[0]
        status, answer = call("POST", "/impersonations/redeem", {"ticket": ticket})
        if status != http.HTTPStatus.OK:
            self.show("This ticket does not work.", status=410)
            return
        # Its own kind of session, under a name that nobody can guess.
        session = secrets.token_urlsafe(32)
        looks[session] = answer["impersonation"]
        # A redirect on the same origin: reloading the page does not post the ticket again.
        self.lead_home(session)

    def do_GET(self) -> None:
        """Show the home page: asked before each page, whether it goes on."""
        marker = looks.get(self.session())
        if marker is None:
            self.show("Nobody is signed in.")
            return
        status, look = call("POST", "/impersonations/check", {"impersonation": marker})
        if status != http.HTTPStatus.OK:
            looks.pop(self.session())
            self.show("The impersonation is over.")
            return
        _status, user = call("GET", f"/users/{look['user']}")
        until = look["expires_at"]
        self.show(
            f"{look['actor']} sees this as {user['first_name']} {user['last_name']},"
            f" {look['mode']}, until {until}",
            with_stop=True,
        )

    def session(self) -> str:
        cookie = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        return cookie["look"].value if "look" in cookie else ""

    def lead_home(self, session: str) -> None:
        self.send_response(303)
        self.send_header("Location", "/")
        # Over https also: Secure.
        self.send_header("Set-Cookie", f"look={session}; HttpOnly; SameSite=Lax; Path=/")
        self.end_headers()

    def show(self, text: str, *, status: int = 200, with_stop: bool = False) -> None:
        stop = '<form method="post" action="/stop"><button>Stop</button></form>'
        page = f"<!doctype html><title>Platform</title><p>{html.escape(text)}</p>"
        body = (page + (stop if with_stop else "")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "3000"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Platform)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
