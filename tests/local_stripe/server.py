"""Answers requests for what a world holds, and fails as it is told to."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.local_stripe import shapes
from tests.local_stripe.world import World

KEY = "sk_test_local_0123456789"
Answer = tuple[int, Any]


class Refused(Exception):
    """The request is wrong; the answer is an error as Stripe words it."""

    def __init__(self, status: int, code: str, type_: str = "invalid_request_error") -> None:
        super().__init__(code)
        body = {"type": type_, "code": code, "message": f"Refused: {code}."}
        self.answer: Answer = (status, {"error": body})


@dataclass
class Fault:
    """What goes wrong with the next requests to paths of this beginning."""

    path: str
    status: int = 0
    """An HTTP status; 0 to cut the connection; 200 for an answer that is no JSON of Stripe's."""
    body: bytes = b'{"error": {"type": "api_error", "message": "Local trouble."}}'
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    times: int = 1_000_000
    method: str = ""
    """Of these requests only."""


class LocalStripe:
    """A server on loopback over one world; `requests` counts what was asked."""

    def __init__(self, world: World | None = None, *, port: int = 0) -> None:
        self.world = world or World()
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self._kept: dict[str, tuple[Any, Answer]] = {}
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"local": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        """Begin anew with an empty world; the ids of the last one may come again."""
        self.world = World()
        self.faults.clear()
        self.requests.clear()
        self._kept.clear()

    def fault_for(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            is_its_method = fault.method in {"", method}
            if fault.times > 0 and is_its_method and path.startswith(fault.path):
                fault.times -= 1
                return fault
        return None

    def answer(self, method: str, path: str, asked: dict[str, Any], key: str) -> Answer:
        """Return the answer; the same idempotency key gets the first one again."""
        with self._lock:
            self.requests.append((method, path))
            if key and key in self._kept:
                before, answer = self._kept[key]
                if before != (method, path, asked):
                    return Refused(400, "idempotency_key_in_use", "idempotency_error").answer
                return answer
            try:
                answer = 200, self._route(method, path, asked)
            except Refused as refused:
                answer = refused.answer
            if key:
                self._kept[key] = ((method, path, asked), answer)
            return answer

    # --- Addresses -------------------------------------------------------------------------

    def _route(self, method: str, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        parts = path.strip("/").removeprefix("v1/").removeprefix("checkout/").split("/")
        kind, id_ = parts[0], parts[1] if len(parts) > 1 else ""
        if method == "GET" and id_:
            return self._one(kind, id_, asked)
        if method == "GET":
            return self._list(kind, asked)
        return self._act(method, kind, id_, asked)

    def _one(self, kind: str, id_: str, asked: dict[str, Any]) -> dict[str, Any]:
        rows, shape = self._kinds().get(kind, ({}, None))
        if shape is None or id_ not in rows:
            raise Refused(404, "resource_missing")
        return shape(rows[id_], asked)

    def _kinds(self) -> dict[str, tuple[dict[str, Any], Callable[..., dict[str, Any]]]]:
        world, live = self.world, self.world.is_live
        return {
            "customers": (world.customers, lambda one, _asked: shapes.customer(one)),
            "products": (
                world.products,
                lambda one, _asked: shapes.product("prod_films", one, world.now),
            ),
            "prices": (world.prices, lambda one, _asked: shapes.price(one)),
            "subscriptions": (
                world.subscriptions,
                lambda one, asked: world.shape_of(
                    one, with_invoice="latest_invoice" in str(asked.get("expand"))
                ),
            ),
            "invoices": (world.invoices, lambda one, _asked: shapes.invoice(one, live)),
            "charges": (world.charges, lambda one, _asked: shapes.charge(one, live)),
            "payment_intents": (
                world.intents,
                lambda one, asked: shapes.payment_intent(
                    one, live, with_charge="latest_charge" in str(asked.get("expand"))
                ),
            ),
            "refunds": (world.refunds, self._refund),
            "sessions": (
                world.sessions,
                lambda one, asked: world.shape_of_session(
                    one, with_lines="line_items" in str(asked.get("expand"))
                ),
            ),
        }

    def _refund(self, one: Any, asked: dict[str, Any]) -> dict[str, Any]:
        world = self.world
        is_wide = "charge" in str(asked.get("expand"))
        charge = shapes.charge(world.charges[one.charge], world.is_live) if is_wide else None
        return shapes.refund(one, charge)

    def _list(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        world = self.world
        if kind == "invoice_payments":
            intent = (asked.get("payment") or {}).get("payment_intent")
            charge = world.intents.get(intent)
            paid = (
                [charge] if charge and charge.invoice else world.paid.get(asked.get("invoice"), [])
            )
            is_wide = "latest_charge" in str(asked.get("expand"))
            rows = [
                shapes.invoice_payment(one, world.is_live, with_charge=is_wide) for one in paid
            ]
            return shapes.listed(rows, "/v1/invoice_payments")
        if kind == "disputes":
            disputed = [
                shapes.dispute(one, world.is_live)
                for one in world.charges.values()
                if one.dispute and asked.get("charge", one.id) == one.id
            ]
            return shapes.listed(disputed, "/v1/disputes")
        if kind == "events":
            return shapes.listed([shapes.event(one) for one in world.events], "/v1/events")
        rows, shape = self._kinds()[kind]
        return self._page(kind, rows, shape, asked)

    def _page(
        self,
        kind: str,
        rows: dict[str, Any],
        shape: Callable[..., dict[str, Any]],
        asked: dict[str, Any],
    ) -> dict[str, Any]:
        """Return a page, the latest made first, as Stripe does."""
        limit = int(asked.get("limit", 10))
        after = asked.get("starting_after")
        if after is not None and after not in rows:
            raise Refused(404, "resource_missing")
        candidates = self._from(kind, rows, after)
        if kind == "invoices" and "subscription" in asked and not after:
            candidates = reversed(self.world.billed.get(asked["subscription"], []))
        fitting = (one for one in candidates if _fits(one, asked))
        found = list(islice(fitting, limit + 1))
        shown = [shape(one, asked) for one in found[:limit]]
        return shapes.listed(shown, f"/v1/{kind}", has_more=len(found) > limit)

    def _from(self, kind: str, rows: dict[str, Any], after: str | None) -> Iterable[Any]:
        order = self._order(kind, rows)
        end = order[1][after] if after else len(order[0])
        return (rows[order[0][number]] for number in range(end - 1, -1, -1))

    def _order(self, kind: str, rows: dict[str, Any]) -> tuple[list[str], dict[str, int]]:
        """Return ids in the order made and the place of each; kept while nothing is added."""
        orders = self.world.orders
        known = orders.get(kind)
        if known is None or len(known[0]) != len(rows):
            ids = list(rows)
            known = orders[kind] = (ids, {id_: number for number, id_ in enumerate(ids)})
        return known

    def _act(self, method: str, kind: str, id_: str, asked: dict[str, Any]) -> dict[str, Any]:
        world = self.world
        if kind == "refunds" and not id_:
            charge = world.charges.get(str(asked.get("charge")))
            if charge is None:
                raise Refused(404, "resource_missing")
            if charge.refunded >= charge.amount:
                raise Refused(400, "charge_already_refunded")
            return shapes.refund(world.refund(charge, int(asked.get("amount", 0)) or None))
        subscription = world.subscriptions.get(id_) if kind == "subscriptions" else None
        if subscription is None:
            raise Refused(404, "resource_missing")
        if subscription.status == "canceled":
            raise Refused(404 if method == "DELETE" else 400, "resource_missing")
        if method == "DELETE":
            world.stop(subscription)
        elif asked.get("cancel_at_period_end") == "true":
            world.stop(subscription, at_period_end=True)
        else:
            world.resume(subscription)
        return world.shape_of(
            subscription, with_invoice="latest_invoice" in str(asked.get("expand"))
        )


def _fits(one: Any, asked: dict[str, Any]) -> bool:
    for name in ("charge", "customer", "payment_intent", "subscription"):
        if name in asked and getattr(one, name) != asked[name]:
            return False
    status = asked.get("status", "all")
    return status == "all" or getattr(one, "status", status) == status


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client; it stays open between requests."""

    protocol_version = "HTTP/1.1"
    # Head and body leave together; a client that waits for the second would wait for 40 ms.
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    local: LocalStripe

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length).decode() or address.query
        fault = self.local.fault_for(self.command, address.path)
        if fault:
            time.sleep(fault.delay)
            if fault.status == 0:
                self.close_connection = True
                self.connection.close()
                return
            self._send(fault.status, fault.body, fault.headers)
            return
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            status, body = Refused(401, "bad_key").answer
        else:
            key = self.headers.get("Idempotency-Key", "") if self.command != "GET" else ""
            status, body = self.local.answer(self.command, address.path, _nested(text), key)
        self._send(status, json.dumps(body).encode(), {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _nested(text: str) -> dict[str, Any]:
    """Return form fields as Stripe nests them: a[b]=c gives {"a": {"b": "c"}}."""
    nested: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return nested
