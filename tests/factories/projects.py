"""Factories of projects, platforms and keys."""

import hashlib
from datetime import UTC, datetime

import factory

from backoffice.projects.models import ApiKey, Platform, Project

CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class ProjectFactory(factory.django.DjangoModelFactory):
    """A service in Paris that charges in euros and offers trials."""

    class Meta:
        model = Project

    slug = factory.Sequence(lambda n: f"project-{n}")
    name = factory.LazyAttribute(lambda o: o.slug.replace("-", " ").title())
    time_zone = "Europe/Paris"
    currency = "EUR"
    languages = factory.LazyFunction(lambda: ["en", "fr"])
    has_trials = True
    created_at = CREATED_AT


class PlatformFactory(factory.django.DjangoModelFactory):
    """A web site of a project."""

    class Meta:
        model = Platform

    project = factory.SubFactory(ProjectFactory)
    slug = factory.Sequence(lambda n: f"web-{n}")
    name = factory.LazyAttribute(lambda o: o.slug.title())
    kind = Platform.Kind.WEB
    home_url = "https://watch.example.com/"
    created_at = CREATED_AT


class ApiKeyFactory(factory.django.DjangoModelFactory):
    """A live key; `raw` is what a platform sends."""

    class Meta:
        model = ApiKey
        exclude = ("raw",)

    class Params:
        raw = factory.Sequence(lambda n: f"test-key-{n}")

    platform = factory.SubFactory(PlatformFactory)
    key_hash = factory.LazyAttribute(lambda o: hashlib.sha256(o.raw.encode()).hexdigest())
    hint = factory.LazyAttribute(lambda o: o.raw[:12])
    created_at = CREATED_AT
