"""Bring database and files up to date with the code: what every start needs first."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Compiles translations, collects static files, migrates, makes the cache's table."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("compile_translations")
        if settings.STATIC_ROOT:
            call_command("collectstatic", interactive=False, verbosity=0)
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
