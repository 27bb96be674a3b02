"""Make the .mo files of the translations; with --check, refuse incomplete ones."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backoffice.core.translations import compile_all, missing_messages


class Command(BaseCommand):
    help = "Makes the .mo files of the translations; --check refuses incomplete ones."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        for locale in map(Path, settings.LOCALE_PATHS):
            if options["check"]:
                self._check(locale)
            compile_all(locale)

    def _check(self, locale: Path) -> None:
        for source in sorted(locale.glob("*/LC_MESSAGES/*.po")):
            lines = missing_messages(settings.BASE_DIR, source)
            for line in lines:
                self.stderr.write(f"{source.parent.parent.name} {line}")
            if lines:
                raise CommandError(f"{source.name}: {len(lines)} messages are not translated.")
