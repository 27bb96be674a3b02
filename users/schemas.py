"""The wire format of users and sign-up fields."""

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from backoffice.core.validation import clean_country, clean_email, clean_language
from backoffice.core.wire import Body, CleanText, Instant, checked

Email = Annotated[str, Field(max_length=320, examples=["ada@example.com"]), checked(clean_email)]
Language = Annotated[str, Field(max_length=20), checked(clean_language)]
Country = Annotated[str, Field(max_length=20), checked(clean_country)]
Name = Annotated[CleanText, Field(max_length=150)]
# Kept as they come: spaces at either end are part of a password.
Password = Annotated[str, Field(max_length=1000), AfterValidator(str)]


class UserPost(Body):
    """A new user. The key says on which platform the account was created."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "ada@example.com",
                    "first_name": "Ada",
                    "last_name": "Lovelace",
                    "password": "a long and private sentence",
                    "language": "en",
                    "country": "GB",
                    "custom": {},
                    "registered_at": "2026-03-10T12:00:00Z",
                }
            ]
        }
    )

    email: Email
    first_name: Name = ""
    last_name: Name = ""
    password: Password = ""
    language: Language = ""
    country: Country = ""
    custom: dict[str, Any] = {}
    registered_at: Instant | None = None


class UserPatch(Body):
    """What changes of a user: a field that is absent stays, one that is null becomes empty."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"examples": [{"first_name": "Augusta Ada", "country": None}]}
    )

    email: Email = ""
    first_name: Name = ""
    last_name: Name = ""
    password: Password = ""
    language: Language = ""
    country: Country = ""
    custom: dict[str, Any] | None = {}

    @model_validator(mode="before")
    @classmethod
    def null_is_absent(cls, data: Any) -> Any:
        if isinstance(data, dict):
            texts = cls.model_fields.keys() - {"custom"}
            return {k: "" if v is None and k in texts else v for k, v in data.items()}
        return data


class UserAnswer(BaseModel):
    """A user, as far as platforms may know; the password never leaves."""

    id: str
    email: str
    first_name: str
    last_name: str
    language: str
    country: str
    custom: dict[str, Any]
    platform: str = Field(description="The slug of the platform where the account was created.")
    registered_at: str
    modified_at: str


class FieldAnswer(BaseModel):
    """One sign-up field."""

    key: str
    type: str = Field(description="text, number, date, boolean or choice")
    labels: dict[str, str] = Field(description="The label per language code.")
    required: bool
    choices: list[str]


class FieldsAnswer(BaseModel):
    """The sign-up fields of the project, in their order."""

    fields: list[FieldAnswer]


# --- Device sessions and password resets ---------------------------------------------------

# Compared, never stored: what cannot be an address is nobody's.
AnyEmail = Annotated[str, Field(max_length=320, examples=["ada@example.com"])]
UserAgent = Annotated[str, Field(max_length=4000)]
Token = Annotated[str, Field(max_length=200)]
SAMPLE = "C3o8DkwfSo6aPi9vTB2OVY-mfGZ0t3b4xYp8dS9qN1kLr2vHcUa7EoJw5iGzTMBP"


class DeviceSessionPost(Body):
    """A sign-in of a user on a device."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "known@example.com",
                    "password": "a long and private sentence",
                    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) "
                    "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 "
                    "Safari/604.1",
                    "device_name": "Ada's telephone",
                }
            ]
        }
    )

    email: AnyEmail
    password: Password
    user_agent: UserAgent = ""
    device_name: Annotated[CleanText, Field(max_length=100)] = ""


class DeviceSessionAnswer(BaseModel):
    """A device session that has just begun."""

    id: str
    token: str = Field(description="Shown once. Says to the check who is signed in.")
    user: str = Field(description="The user's id.")
    must_change_password: bool = Field(
        description="Whether the user is to choose a new password first."
    )


class DeviceSessionCheck(Body):
    """The token of a device session."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"examples": [{"token": SAMPLE}]}
    )

    token: Token


class LiveSessionAnswer(BaseModel):
    """A device session that has not ended."""

    id: str
    user: str = Field(description="The user's id.")


class PasswordResetPost(Body):
    """Who forgot the password."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"examples": [{"email": "known@example.com"}]}
    )

    email: AnyEmail


class PasswordResetRedeem(Body):
    """What the page behind a reset link sends."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"examples": [{"token": SAMPLE, "password": "another long sentence"}]}
    )

    token: Token
    password: Password


# --- Impersonations ------------------------------------------------------------------------

TICKET = "q3p8WJ0vYtFqXk0m9hC2sT4rU6iO8aB1nD5eG7lZxVc"
MARKER = "0197b3a2-6f0e-7c11-9a55-1f0d9c4b8e21"


class ImpersonationRedeem(Body):
    """What the browser of a staff member brought along."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"examples": [{"ticket": TICKET}]}
    )

    ticket: Token


class ImpersonationCheck(Body):
    """The marker of an impersonation."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"examples": [{"impersonation": MARKER}]}
    )

    impersonation: Annotated[str, Field(max_length=64)]


class ImpersonationAnswer(BaseModel):
    """An impersonation that goes on."""

    user: str = Field(description="The id of the user to be shown.")
    actor: str = Field(description="Who looks, for the banner.")
    mode: str = Field(description="read-only or full")
    expires_at: str = Field(description="When it ends at the latest.")
    impersonation: str = Field(description="The marker: sent with each viewing meanwhile.")


class PastImpersonation(BaseModel):
    """One time that somebody looked at the account."""

    actor: str
    mode: str = Field(description="read-only or full")
    began_at: str
    ended_at: str | None = Field(description="null while it goes on")


class PastImpersonationsAnswer(BaseModel):
    """Who looked at the account, newest first."""

    impersonations: list[PastImpersonation]
