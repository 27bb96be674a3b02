"""Addresses of what is sold, paid for and given."""

from django.urls import path

from subscriptions.views.charged import ChargedPurchase, ChargedSubscription
from subscriptions.views.connection import CompareWithStripe, Connect, Disconnect, PaymentSettings
from subscriptions.views.events import Assign, EventRegister, TryEventAgain, UnmatchedRegister
from subscriptions.views.given import (
    FreeCopyList,
    FreeCopyPage,
    GiftList,
    GiftPage,
    NewFreeCopy,
)
from subscriptions.views.notifications import (
    AppleNotification,
    GoogleNotification,
    StripeNotification,
)
from subscriptions.views.offers import EditOffer, NewOffer, OfferList
from subscriptions.views.payments import (
    PurchaseList,
    PurchasesFile,
    PurchasesSheet,
    SubscriptionList,
    SubscriptionsFile,
    SubscriptionsSheet,
)

app_name = "subscriptions"

urlpatterns = [
    path("offers/", OfferList.as_view(), name="offers"),
    path("offers/new/", NewOffer.as_view(), name="offer-new"),
    path("offers/<int:offer_id>/", EditOffer.as_view(), name="offer"),
    path("subscriptions/", SubscriptionList.as_view(), name="list"),
    path("purchases/", PurchaseList.as_view(), name="purchases"),
    path("subscriptions/export.csv", SubscriptionsFile.as_view(), name="subscriptions-file"),
    path("subscriptions/export.xlsx", SubscriptionsSheet.as_view(), name="subscriptions-sheet"),
    path("purchases/export.csv", PurchasesFile.as_view(), name="purchases-file"),
    path("purchases/export.xlsx", PurchasesSheet.as_view(), name="purchases-sheet"),
    path("free-copies/", FreeCopyList.as_view(), name="free-copies"),
    path("free-copies/new/", NewFreeCopy.as_view(), name="free-copy-new"),
    path("free-copies/<int:free_copy_id>/", FreeCopyPage.as_view(), name="free-copy"),
    path("gifts/", GiftList.as_view(), name="gifts"),
    path("gifts/<int:gift_id>/", GiftPage.as_view(), name="gift"),
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
    path("settings/payments/<slug:provider>/", Connect.as_view(), name="connect"),
    path("settings/payments/<slug:provider>/disconnect/", Disconnect.as_view(), name="disconnect"),
    path("webhooks/apple/<slug:project>/", AppleNotification.as_view(), name="apple-notification"),
    path(
        "webhooks/google/<slug:project>/", GoogleNotification.as_view(), name="google-notification"
    ),
    path(
        "webhooks/stripe/<slug:project>/", StripeNotification.as_view(), name="stripe-notification"
    ),
]
