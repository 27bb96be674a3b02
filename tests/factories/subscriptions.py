"""
Factories of offers, subscriptions, purchases and free copies.

Each leaves access, spans, day counts and status as the actions do. `now` is the instant for
which the user's status is written, and at which a closed state is taken to have arrived.
"""

from datetime import UTC, datetime
from typing import Any

import factory

from subscriptions.actions import derive_free_copy, derive_purchase, derive_subscription
from subscriptions.models import FreeCopy, Offer, Provider, Purchase, Source, Subscription
from subscriptions.spans import rebuild_spans
from tests.factories.projects import ProjectFactory
from tests.factories.users import UserFactory

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
STARTED_AT = datetime(2026, 3, 11, 12, tzinfo=UTC)


class OfferFactory(factory.django.DjangoModelFactory):
    """A monthly subscription at 9.99 euros."""

    class Meta:
        model = Offer

    project = factory.SubFactory(ProjectFactory)
    reference = factory.Sequence(lambda n: f"offer-{n}")
    name = "Monthly"
    kind = Offer.Kind.SUBSCRIPTION
    price_minor = 999
    currency = "EUR"
    interval_months = 1


class SourceFactory(factory.django.DjangoModelFactory):
    """What the factories of sources share: what is derived follows at once."""

    class Meta:
        abstract = True

    user = factory.SubFactory(UserFactory)
    project = factory.SelfAttribute("user.project")
    offer = factory.SubFactory(OfferFactory, project=factory.SelfAttribute("..project"))
    now = NOW

    @classmethod
    def _create(
        cls, model_class: type[Source], *args: Any, now: datetime, **kwargs: Any
    ) -> Source:
        source = model_class(*args, **kwargs)
        DERIVE[model_class](source)
        source.save()
        user = getattr(source, "access_user", None) or source.user
        if user is not None:
            rebuild_spans([user.pk], now=now)
            user.refresh_from_db(fields=["status", "status_until"])
        return source


class SubscriptionFactory(SourceFactory):
    """An active monthly subscription without an end, from 11 March 2026 at noon UTC."""

    class Meta:
        model = Subscription

    provider = Provider.OKAST
    reference = factory.Sequence(lambda n: f"sub-{n}")
    status = Subscription.Status.ACTIVE
    price_minor = 999
    currency = "EUR"
    started_at = STARTED_AT
    status_since = factory.SelfAttribute("now")


class PurchaseFactory(SourceFactory):
    """A pack bought for ever on 11 March 2026 at noon UTC; a gift has `type` and `recipient`."""

    class Meta:
        model = Purchase

    offer = factory.SubFactory(
        OfferFactory,
        project=factory.SelfAttribute("..project"),
        kind=Offer.Kind.PACK,
        name="Pack",
        interval_months=None,
    )
    provider = Provider.OKAST
    reference = factory.Sequence(lambda n: f"purchase-{n}")
    type = Purchase.Type.PACK
    status = Purchase.Status.ACTIVE
    price_minor = 499
    currency = "EUR"
    purchased_at = STARTED_AT
    status_since = factory.SelfAttribute("now")


class FreeCopyFactory(SourceFactory):
    """Thirty days, sent on 11 March 2026 at noon UTC to a user who had an account."""

    class Meta:
        model = FreeCopy

    reference = factory.Sequence(lambda n: f"copy-{n}")
    sent_at = STARTED_AT
    days = 30


DERIVE = {
    Subscription: derive_subscription,
    Purchase: derive_purchase,
    FreeCopy: derive_free_copy,
}
