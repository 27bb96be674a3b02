"""Factories of users and sign-up fields."""

from datetime import UTC, datetime
from typing import Any

import factory

from tests.factories.projects import PlatformFactory, ProjectFactory
from users.actions import count_registration, keep_words, set_comparable_columns
from users.models import CustomField, User

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
