"""The wire format of the API for platforms: types of fields, the body's base, the error."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from django.core.exceptions import ValidationError
from django.urls import register_converter
from django.urls.converters import StringConverter
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic import ValidationInfo as Info
from pydantic_core import PydanticCustomError

from backoffice.core.instants import FIRST_INSTANT, LAST_INSTANT, to_second
from backoffice.core.money import currencies, minor_units
from backoffice.core.validation import clean_text, clean_web_address

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})",
    re.ASCII,
)


class ApiError(Exception):
    """An answer other than the one hoped for: `{"error": {"code", "message", "fields"}}`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, "fields": self.fields}}


def invalid(fields: Mapping[str, str]) -> ApiError:
    """Return the error of a body whose fields are readable but wrong, each with what is wrong."""
    return ApiError(422, "invalid", "Some fields are not valid.", fields)


def missing(what: str) -> ApiError:
    """Return the error of an object that this project does not have."""
    return ApiError(404, "not_found", f"This project has no such {what}.")


def too_many(message: str, *, seconds: int) -> ApiError:
    """Return the error of what may be tried again after so many seconds."""
    return ApiError(429, "too_many_requests", message, headers={"Retry-After": str(seconds)})


def checked(clean: Callable[[Any], Any]) -> AfterValidator:
    """Return the validator that answers Django's ValidationError in pydantic's way."""

    def validate(value: Any) -> Any:
        try:
            return clean(value)
        except ValidationError as error:
            raise refusal(error.messages[0]) from error

    return AfterValidator(validate)


def refusal(message: str) -> PydanticCustomError:
    # The message is no template: braces in it stay as they are.
    return PydanticCustomError("invalid", "{message}", {"message": message})


def parse_instant(value: Any) -> datetime:
    """
    Return the instant of ISO 8601 with offset or Z, in UTC and to the second.

    :raises PydanticCustomError: if it has none, does not exist or is not in [1990, 2200).
    """
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise refusal("Write an instant like 2026-11-03T20:15:00+01:00, with its offset or Z.")
    try:
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refusal("There is no such instant.") from error
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        raise refusal("The instant must lie between 1990 and 2199.")
    return to_second(instant)


def instant_text(instant: datetime | None) -> str | None:
    """Return the instant as it is sent, "2026-11-03T19:15:00Z"; None stays None."""
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _currency(code: str) -> str:
    upper = code.upper()
    if upper not in currencies():
        raise refusal("Write the currency as its ISO 4217 code, like EUR.")
    return upper


CleanText = Annotated[str, checked(clean_text)]
"""Trimmed, without control characters."""

WholeNumber = Annotated[int, Strict()]
Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
WebAddress = Annotated[str, Field(max_length=1000), checked(clean_web_address)]
Currency = Annotated[str, Field(max_length=3), AfterValidator(_currency)]
ShortReference = Annotated[CleanText, Field(min_length=1, max_length=64)]


class Body(BaseModel):
    """What a platform sends: a field absent or null is empty, an unknown one is refused."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def null_is_absent(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if value is not None}
        return data


class Priced(Body):
    """A body with a price: a decimal string in major units, and its currency."""

    currency: Currency = ""
    price: str = Field("", examples=["9.99"])

    @field_validator("price")
    @classmethod
    def price_fits_currency(cls, price: str, info: Info) -> str:
        # A bad currency has its own message already.
        currency = info.data.get("currency")
        if price and currency == "":
            raise refusal("A price needs a currency.")
        if price and currency:
            try:
                minor_units(price, currency)
            except ValueError as error:
                raise refusal(str(error)) from error
        return price

    def money(self, *, default_currency: str) -> dict[str, Any]:
        """Return the model's columns; no price is zero, in the project's currency."""
        currency = self.currency or default_currency
        price = minor_units(self.price, currency) if self.price else 0
        return {"price_minor": price, "currency": currency}


class RestConverter(StringConverter):
    """
    All that is left of an address, slashes and line ends among it.

    What no reference may hold is let through: whoever reads it says what is wrong with it.
    """

    regex = "(?s:.+)"


register_converter(RestConverter, "rest")


def path_reference(value: str, *, name: str, longest: int) -> str:
    """
    Return a reference from the address, as it is.

    :raises ApiError: if it is blank, too long or holds what no text holds.
    """
    try:
        clean = clean_text(value)
    except ValidationError as error:
        raise invalid({name: error.messages[0]}) from error
    if not clean or clean != value or len(value) > longest:
        raise invalid(
            {name: f"A reference has 1 to {longest} characters, none at its ends blank."}
        )
    return value
