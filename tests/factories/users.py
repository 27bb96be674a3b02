"""Factories of users and sign-up fields."""

from datetime import UTC, datetime, timedelta
from typing import Any

import factory

from backoffice.core.permissions import Role
from backoffice.core.tokens import hash_of_token, new_token
from backoffice.staff.models import StaffMember, StaffRole
from tests.factories.projects import PlatformFactory, ProjectFactory
from users.actions import count_registration, keep_words, set_comparable_columns
from users.models import CustomField, DeviceSession, Impersonation, PasswordReset, User

REGISTERED_AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


class CustomFieldFactory(factory.django.DjangoModelFactory):
    """An optional, live text field."""

    class Meta:
        model = CustomField

    project = factory.SubFactory(ProjectFactory)
    key = factory.Sequence(lambda n: f"field_{n}")
    labels = factory.LazyAttribute(lambda o: {"en": o.key.title()})
    type = CustomField.Type.TEXT
    position = factory.Sequence(lambda n: n)


class UserFactory(factory.django.DjangoModelFactory):
    """
    Ada, registered on 10 March 2026 at noon UTC, never with access.

    Search words and registration counts are kept in step. A stub: `deleted_at=…`.
    """

    class Meta:
        model = User

    platform = factory.SubFactory(PlatformFactory)
    project = factory.SelfAttribute("platform.project")
    email = factory.Sequence(lambda n: f"ada.{n}@example.com")
    first_name = "Ada"
    last_name = factory.Sequence(lambda n: f"Lovelace {n}")
    registered_at = REGISTERED_AT
    modified_at = factory.SelfAttribute("registered_at")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        user = model_class(*args, **kwargs)
        if user.deleted_at is not None:
            user.email = user.first_name = user.last_name = user.password = ""
            user.custom = {}
            user.save()
            count_registration(user, deleted=1)
            return user
        set_comparable_columns(user)
        user.save()
        keep_words(user)
        count_registration(user)
        return user


class DeviceSessionFactory(factory.django.DjangoModelFactory):
    """A live sign-in on a phone, right after the registration; `token` is what a device sends."""

    class Meta:
        model = DeviceSession
        exclude = ("token",)

    class Params:
        token = factory.LazyAttribute(lambda o: new_token(o.user.public_id))

    user = factory.SubFactory(UserFactory)
    platform = factory.SelfAttribute("user.platform")
    project = factory.SelfAttribute("user.project")
    token_hash = factory.LazyAttribute(lambda o: hash_of_token(o.token))
    device_type = "phone"
    created_at = factory.SelfAttribute("user.registered_at")
    last_seen_at = factory.SelfAttribute("created_at")


class PasswordResetFactory(factory.django.DjangoModelFactory):
    """A reset link that works for years; `token` is what its page sends."""

    class Meta:
        model = PasswordReset
        exclude = ("token",)

    class Params:
        token = factory.LazyAttribute(lambda o: new_token(o.user.public_id))

    user = factory.SubFactory(UserFactory)
    project = factory.SelfAttribute("user.project")
    token_hash = factory.LazyAttribute(lambda o: hash_of_token(o.token))
    expires_at = datetime(2030, 1, 1, tzinfo=UTC)


class SupporterFactory(factory.django.DjangoModelFactory):
    """Olive, who is support on all projects."""

    class Meta:
        model = StaffMember
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"olive-{n}@staff.example")
    name = "Olive Hart"
    created_at = REGISTERED_AT

    @factory.post_generation
    def role(self, create, extracted, **kwargs):
        StaffRole.objects.create(staff_member=self, role=extracted or Role.SUPPORT)


class ImpersonationFactory(factory.django.DjangoModelFactory):
    """A ticket that waits, for a minute from the registration; `ticket` is what is redeemed."""

    class Meta:
        model = Impersonation
        exclude = ("ticket",)

    class Params:
        ticket = factory.Sequence(lambda n: f"ticket-{n}")

    user = factory.SubFactory(UserFactory)
    platform = factory.SelfAttribute("user.platform")
    project = factory.SelfAttribute("user.project")
    staff = factory.SubFactory(SupporterFactory)
    ticket_hash = factory.LazyAttribute(lambda o: hash_of_token(o.ticket))
    created_at = factory.SelfAttribute("user.registered_at")
    ticket_expires_at = factory.LazyAttribute(lambda o: o.created_at + timedelta(minutes=1))
