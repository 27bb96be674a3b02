"""Print how the demo staff signs in."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.demo.named import PASSWORD, STAFF
from backoffice.staff.models import StaffMember


class Command(BaseCommand):
    help = "Print the e-mail addresses and the password of the demo staff, one person per role."

    def handle(self, *args: Any, **options: Any) -> None:
        emails = [email for email, *_ in STAFF]
        if not StaffMember.objects.filter(email__in=emails).exists():
            raise CommandError("There is no demo staff here: manage.py demo_data makes it.")
        for email, _, role, project in STAFF:
            where = f"on {project}" if project else "on all projects"
            self.stdout.write(f"{email:<22} {role:<8} {where}")
        self.stdout.write(f"Password of all: {PASSWORD}")
