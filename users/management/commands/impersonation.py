"""Switch impersonation off in all projects at once, or on again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from users.impersonation import halt, is_on, resume


class Command(BaseCommand):
    help = "Switch impersonation off in all projects at once, or on again, or say how it stands."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["off", "on", "status"])

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["act"] == "off":
            ended = halt(actor=SYSTEM, now=now)
            self.stdout.write(f"Ended: {ended}.")
        elif options["act"] == "on":
            resume(actor=SYSTEM, now=now)
        self.stdout.write(f"Impersonation is {'on' if is_on() else 'off'}.")
