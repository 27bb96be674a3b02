"""Addresses of what users pay for."""

from django.urls import path

from subscriptions.views.charged import ChargedPurchase, ChargedSubscription
from subscriptions.views.connection import CompareWithStripe, PaymentSettings
from subscriptions.views.events import Assign, EventRegister, TryEventAgain, UnmatchedRegister
from subscriptions.views.notifications import StripeNotification

app_name = "subscriptions"

urlpatterns = [
    path(
        "users/<uuid:public_id>/subscriptions/<int:source_id>/",
        ChargedSubscription.as_view(),
        name="charged-subscription",
    ),
    path(
        "users/<uuid:public_id>/purchases/<int:source_id>/",
        ChargedPurchase.as_view(),
        name="charged-purchase",
    ),
    path("payments/events/", EventRegister.as_view(), name="events"),
    path("payments/events/<int:event_id>/again/", TryEventAgain.as_view(), name="event-again"),
    path("payments/unmatched/", UnmatchedRegister.as_view(), name="unmatched"),
    path("payments/unmatched/<int:customer_id>/", Assign.as_view(), name="assign"),
    path("settings/payments/", PaymentSettings.as_view(), name="payment-settings"),
    path("settings/payments/compare/", CompareWithStripe.as_view(), name="compare"),
    path(
        "webhooks/stripe/<slug:project>/", StripeNotification.as_view(), name="stripe-notification"
    ),
]
