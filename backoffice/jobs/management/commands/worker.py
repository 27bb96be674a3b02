"""Run background work: exports, imports, mail, webhooks."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from backoffice.core.garbage import pass_over_what_is_loaded
from backoffice.jobs.worker import run_worker


class Command(BaseCommand):
    help = "Runs background work until it is stopped (SIGTERM or Ctrl-C)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when nothing is left to do")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["once"]:
            pass_over_what_is_loaded()
        run_worker(once=options["once"])
