"""Serve an empty local Stripe until Ctrl-C: `python -m tests.local_stripe [PORT]`."""

import sys
import threading

from tests.local_stripe.deliveries import SECRET
from tests.local_stripe.server import KEY, LocalStripe

with LocalStripe(port=int(sys.argv[1]) if len(sys.argv) > 1 else 12111) as local:
    sys.stdout.write(
        f"STRIPE_API_BASE={local.url} STRIPE_SECRET_KEY={KEY} STRIPE_WEBHOOK_SECRETS={SECRET}\n"
    )
    threading.Event().wait()
