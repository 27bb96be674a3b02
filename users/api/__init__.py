"""Calls of platforms about users and sign-up fields."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from backoffice.core.instants import to_second
from backoffice.core.text import email_key
from backoffice.core.validation import clean_custom
from backoffice.core.wire import ApiError, instant_text, invalid, missing
from backoffice.projects.api import PlatformRequest, idempotent
from backoffice.projects.models import Project
from subscriptions.actions import change_user, register_user
from users.actions import EmailTaken
from users.api.hashing import hash_or_refuse
from users.deletion import AlreadyDeleted, ChangedSincePreview, NotCancelled, delete_user
from users.models import CustomField, User
from users.schemas import FieldAnswer, FieldsAnswer, UserAnswer, UserPatch, UserPost

router = Router(tags=["Users"])

NOT_CANCELLED = {
    "description": "Nothing was deleted: Stripe did not cancel the subscription"
    " (`not_cancelled`), or the database does not answer. `Retry-After` says when to try again",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


@router.post("/users", response={201: UserAnswer}, summary="Create a user")
@idempotent
def create_user(request: PlatformRequest, body: UserPost) -> Status[UserAnswer]:
    """`email` is required. An e-mail that the project has already is a 409."""
    now = timezone.now()
    platform = request.auth.platform
    fields = live_fields(platform.project)
    if body.registered_at is not None and body.registered_at > now:
        raise invalid({"registered_at": "A registration lies in the past."})
    user = User(
        project=platform.project,
        platform=platform,
        email=body.email,
        first_name=body.first_name,
        last_name=body.last_name,
        language=body.language,
        country=body.country,
        custom=_clean_custom(fields, body.custom),
        registered_at=body.registered_at or to_second(now),
    )
    # Asked before the password is hashed, which takes half a second; the database decides.
    if User.objects.filter(
        project=platform.project, email_key=email_key(body.email), deleted_at=None
    ).exists():
        raise _email_taken()
    user.password = hash_or_refuse(body.password) if body.password else ""
    try:
        register_user(user=user, actor=request.auth, now=now)
    except EmailTaken as error:
        raise _email_taken() from error
    return Status(201, _answer(user, fields))


@router.get("/users/{user_id}", response=UserAnswer, summary="Read a user")
def read_user(request: PlatformRequest, user_id: str) -> UserAnswer:
    project = request.auth.platform.project
    return _answer(present_user(project, user_id), live_fields(project))


@router.patch("/users/{user_id}", response=UserAnswer, summary="Change a user")
def edit_user(request: PlatformRequest, user_id: str, body: UserPatch) -> UserAnswer:
    """
    A field that is absent stays, one that is null becomes empty; of `custom`, the same by key,
    and null empties all of it.

    `modified_at` moves when a profile field changes; a password is none.
    """
    project = request.auth.platform.project
    user = present_user(project, user_id)
    fields = live_fields(project)
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    password = sent.pop("password", "")
    if "custom" in sent:
        sent["custom"] = _merged_custom(fields, user, sent["custom"])
    try:
        user = change_user(
            user=user,
            changes=sent,
            password_hash=hash_or_refuse(password) if password else "",
            actor=request.auth,
            now=timezone.now(),
        )
    except EmailTaken as error:
        raise _email_taken() from error
    except User.DoesNotExist as error:
        raise missing("user") from error
    return _answer(user, fields)


@router.delete(
    "/users/{user_id}",
    response={204: None},
    summary="Delete a user",
    openapi_extra={"responses": {503: NOT_CANCELLED}},
)
def remove_user(request: PlatformRequest, user_id: str) -> Status[None]:
    """
    Personal data goes, what was watched stays in the totals. A subscription that Stripe charges
    is cancelled first; where that fails (503), nothing is deleted.
    """
    user = present_user(request.auth.platform.project, user_id)
    try:
        delete_user(user=user, actor=request.auth, now=timezone.now())
    except AlreadyDeleted as error:
        raise missing("user") from error
    except (NotCancelled, ChangedSincePreview) as error:
        message = "The subscription at Stripe was not cancelled: nothing was deleted. Try again."
        raise ApiError(503, "not_cancelled", message, headers={"Retry-After": "30"}) from error
    return Status(204, None)


@router.get("/sign-up-fields", response=FieldsAnswer, summary="Read the sign-up fields")
def read_sign_up_fields(request: PlatformRequest) -> FieldsAnswer:
    """The project's live custom fields in their order, with labels per language."""
    return FieldsAnswer(
        fields=[
            FieldAnswer(
                key=field.key,
                type=field.type,
                labels=field.labels,
                required=field.is_required,
                choices=field.choices,
            )
            for field in live_fields(request.auth.platform.project)
        ]
    )


def live_fields(project: Project) -> list[CustomField]:
    """Return the project's sign-up fields that are not archived, in their order."""
    return list(
        CustomField.objects.filter(project=project, archived_at=None).order_by("position", "pk")
    )


def present_user(project: Project, user_id: str) -> User:
    """
    Return the user that an address names.

    :raises ApiError: if the project has none, or has deleted them.
    """
    try:
        public_id = UUID(user_id)
    except ValueError as error:
        raise missing("user") from error
    user = (
        User.objects.of(project)
        .present()
        .select_related("project", "platform")
        .filter(public_id=public_id)
        .first()
    )
    if user is None:
        raise missing("user")
    return user


def _clean_custom(fields: list[CustomField], values: dict[str, Any]) -> dict[str, Any]:
    try:
        return clean_custom(fields, values)
    except ValidationError as error:
        raise invalid(
            {f"custom.{key}": texts[0] for key, texts in error.message_dict.items()}
        ) from error


def _merged_custom(
    fields: list[CustomField], user: User, sent: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the user's custom values with those sent, none being all; archived fields stay."""
    if sent is None:
        sent = {field.key: None for field in fields}
    live = {field.key for field in fields}
    kept = {key: value for key, value in user.custom.items() if key not in live}
    now_live = {key: value for key, value in user.custom.items() if key in live}
    asked = [field for field in fields if field.key in sent]
    unknown_or_asked = _clean_custom(asked, sent)
    return kept | {k: v for k, v in now_live.items() if k not in sent} | unknown_or_asked


def _email_taken() -> ApiError:
    return ApiError(
        409,
        "email_taken",
        "The project has a user with this e-mail.",
        {"email": "The project has a user with this e-mail."},
    )


def _answer(user: User, fields: list[CustomField]) -> UserAnswer:
    return UserAnswer(
        id=str(user.public_id),
        email=user.email,
        first_name=user.first_name,
        last_name=user.last_name,
        language=user.language,
        country=user.country,
        custom={f.key: user.custom[f.key] for f in fields if f.key in user.custom},
        platform=user.platform.slug,
        registered_at=str(instant_text(user.registered_at)),
        modified_at=str(instant_text(user.modified_at)),
    )
