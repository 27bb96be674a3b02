"""Events as Stripe delivers them: signed, more than once, in any order."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

import stripe

from tests.local_stripe import shapes
from tests.local_stripe.world import Event

SECRET = "whsec_local_0123456789"


def signed(
    event: Event | dict[str, Any], *, at: float, secret: str = SECRET
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of one delivery, signed at an instant (Unix seconds)."""
    told = shapes.event(event) if isinstance(event, Event) else event
    body = json.dumps(told, indent=2)
    header = stripe.WebhookSignature.generate_signature_header(body, secret, timestamp=int(at))
    return body.encode(), {"Stripe-Signature": header}


def shuffled(events: Iterable[Event], *, seed: int, copies: int = 2) -> Iterator[Event]:
    """Yield each event several times, in an order that follows from the seed."""
    doubled = [event for event in events for _ in range(copies)]
    random.Random(seed).shuffle(doubled)
    yield from doubled
