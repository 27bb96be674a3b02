"""Addresses of what users pay for."""

from django.urls import path

from subscriptions.views.notifications import StripeNotification

app_name = "subscriptions"

urlpatterns = [
    path(
        "webhooks/stripe/<slug:project>/", StripeNotification.as_view(), name="stripe-notification"
    ),
]
