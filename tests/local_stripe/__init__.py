"""
A Stripe of one's own on loopback: enough of it for subscriptions, single payments and refunds.

`world` holds what there is and what happened, `shapes` writes it as Stripe does today, `server`
answers requests, and `deliveries` signs and sends events. `python -m tests.local_stripe` serves
an empty one by hand.
"""
