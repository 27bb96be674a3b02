"""What staff may write about offers, free copies and gifts."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from backoffice.core import validation
from backoffice.core.filters import BoundedDateField
from backoffice.core.money import currencies, major_units, minor_units
from backoffice.core.periods import midnight
from backoffice.core.text import email_key
from backoffice.projects.models import Project
from subscriptions.models import FreeCopy, Offer, Purchase
from subscriptions.schemas import LONGEST_DAYS
from users.models import User

LONGEST_INTERVAL = 1200
LONGEST_PRODUCT_ID = 255


def whole(label: Any, longest: int, **kwargs: Any) -> forms.IntegerField:
    """Return the field of a number of days or months; empty for none."""
    return forms.IntegerField(
        label=label, min_value=1, max_value=longest, required=False, **kwargs
    )


class OfferForm(forms.Form):
    """An offer as it is sold; a new one is also given its reference and kind."""

    name = forms.CharField(label=_("Name"), max_length=200)
    price = forms.CharField(label=_("Price"), max_length=20)
    currency = forms.CharField(label=_("Currency"), max_length=3)
    interval_months = whole(_("Months between payments"), LONGEST_INTERVAL)
    rental_days = whole(
        _("Days of rental"), LONGEST_DAYS, help_text=_("Of a pack. Empty: for ever.")
    )
    trial_days = whole(_("Days of trial"), LONGEST_DAYS)
    stripe_price_id = forms.CharField(
        label=_("Price in Stripe"), max_length=LONGEST_PRODUCT_ID, required=False
    )
    google_product_id = forms.CharField(
        label=_("Product at Google"), max_length=LONGEST_PRODUCT_ID, required=False
    )
    apple_product_id = forms.CharField(
        label=_("Product at Apple"), max_length=LONGEST_PRODUCT_ID, required=False
    )

    def clean_name(self) -> str:
        return validation.clean_text(self.cleaned_data["name"])

    def clean_currency(self) -> str:
        code = str(self.cleaned_data["currency"]).upper()
        if code not in currencies():
            raise ValidationError(_("This is no currency code of ISO 4217."))
        return code

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "price" in cleaned and "currency" in cleaned:
            try:
                cleaned["price_minor"] = minor_units(
                    cleaned["price"].strip().replace(",", "."), cleaned["currency"]
                )
            except ValueError:
                self.add_error("price", _("Write an amount like 9.99."))
        return cleaned

    def values(self) -> dict[str, Any]:
        """Return the offer's new values by field."""
        return {name: value for name, value in self.cleaned_data.items() if name != "price"}

    @staticmethod
    def values_of(offer: Offer) -> dict[str, Any]:
        """Return what the form shows of an offer at first."""
        names = [name for name in OfferForm.base_fields if name != "price"]
        price = major_units(offer.price_minor, offer.currency)
        return {name: getattr(offer, name) for name in names} | {"price": price}


class NewOfferForm(OfferForm):
    """A new offer."""

    reference = forms.CharField(
        label=_("Reference"),
        max_length=64,
        help_text=_("The platform's own id of the offer. It stays."),
        validators=[RegexValidator(r"\A[A-Za-z0-9._-]+\Z", _("Letters, digits, . _ - only."))],
    )
    kind = forms.ChoiceField(label=_("Type"), choices=Offer.Kind.choices)
    field_order = ("reference", "kind", "name")


LONGEST_FREE_COPY = 3650


def offer_field(offers: Sequence[Offer], *, empty: StrOrPromise | None) -> forms.ChoiceField:
    """Return the choice of an offer by its reference; `empty` is what choosing none means."""
    choices = [(offer.reference, offer.name) for offer in offers]
    if empty is not None or not choices:
        choices = [("", str(empty or "—")), *choices]
    return forms.ChoiceField(
        label=_("Offer"), choices=choices, required=empty is None and bool(offers)
    )


def days_field(**kwargs: Any) -> forms.IntegerField:
    """Return the number of days that a free copy lasts."""
    return forms.IntegerField(
        label=_("Days of access"), min_value=1, max_value=LONGEST_FREE_COPY, **kwargs
    )


class FreeCopyChangeForm(forms.Form):
    """What can change of a free copy that was sent."""

    days = days_field(initial=30)
    activate_by = BoundedDateField(
        label=_("Activate by"),
        required=False,
        help_text=_("The last day on which it can be activated. Empty: any day."),
    )

    def __init__(self, *args: Any, offers: Sequence[Offer], zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        self.offers = {offer.reference: offer for offer in offers}
        self.fields["offer"] = offer_field(offers, empty=None)

    def values(self) -> dict[str, Any]:
        """Return the copy's new values by field."""
        return {
            "offer": self.offers.get(self.cleaned_data["offer"]),
            "days": self.cleaned_data["days"],
            "activate_by": end_of(self.cleaned_data["activate_by"], self.zone),
        }

    @staticmethod
    def values_of(free_copy: FreeCopy, zone: ZoneInfo) -> dict[str, Any]:
        """Return what the form shows of a free copy at first."""
        return {
            "offer": free_copy.offer.reference if free_copy.offer else "",
            "days": free_copy.days,
            "activate_by": last_day_of(free_copy.activate_by, zone),
        }


class NewFreeCopyForm(FreeCopyChangeForm):
    """A free copy for an address, with or without an account."""

    email = forms.CharField(label=_("E-mail"), max_length=validation.LONGEST_EMAIL)
    mail = forms.BooleanField(label=_("Tell by mail"), required=False, initial=True)
    language = forms.ChoiceField(
        label=_("Language of the mail"), required=False, choices=settings.LANGUAGES
    )
    field_order = ("email", "offer", "days", "activate_by", "mail", "language")

    def clean_email(self) -> str:
        return validation.clean_email(self.cleaned_data["email"])


class GiftChangeForm(forms.Form):
    """What can change of a gift: until when it gives access."""

    last_day = BoundedDateField(
        label=_("Last day of access"), required=False, help_text=_("Empty: as the offer says.")
    )

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    @property
    def expires_at(self) -> datetime | None:
        return end_of(self.cleaned_data["last_day"], self.zone)

    @staticmethod
    def values_of(gift: Purchase, zone: ZoneInfo) -> dict[str, Any]:
        """Return what the form shows of a gift at first."""
        return {"last_day": last_day_of(gift.expires_at, zone)}


def end_of(day: date | None, zone: ZoneInfo) -> datetime | None:
    """Return the instant at which a local day ends."""
    return midnight(day + timedelta(days=1), zone) if day else None


def last_day_of(end: datetime | None, zone: ZoneInfo) -> date | None:
    """Return the last local day before an instant."""
    return (end - timedelta(seconds=1)).astimezone(zone).date() if end else None


class AssignForm(forms.Form):
    """Which user a customer of a provider is."""

    user = forms.CharField(
        label=_("User"),
        max_length=320,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
        help_text=_("The user's e-mail or unique identifier."),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_user(self) -> User:
        text = self.cleaned_data["user"].strip()
        present = User.objects.of(self.project).present()
        try:
            found = present.filter(public_id=UUID(text)).first()
        except ValueError:
            found = present.filter(email_key=email_key(text)).first()
        if found is None:
            raise ValidationError(_("This project has no such user."))
        return found
