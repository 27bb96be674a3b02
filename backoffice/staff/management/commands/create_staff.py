"""Make a staff member, or give one that exists another role."""

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from backoffice.core.permissions import Role
from backoffice.env import env
from backoffice.projects.management.lookups import project_named
from backoffice.projects.models import Project
from backoffice.staff.actions import RoleAlreadyHeld, StaffRefused, create_staff, grant_role
from backoffice.staff.models import StaffMember


class Command(BaseCommand):
    help = (
        "Make a staff member with a role on one project or on all. The password comes from "
        "STAFF_PASSWORD, or is asked for. Somebody who exists gets the role besides their own "
        "and keeps their password."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--project", help="slug of the project; without it: all projects")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"]) if options["project"] else None
        role = Role(options["role"])
        email = options["email"].strip().lower()
        where = f"on {project.slug}" if project else "on all projects"
        known = StaffMember.objects.filter(email=email).first()
        if known:
            self._grant(known, role=role, project=project, where=where)
            return
        try:
            create_staff(
                email=email,
                password=read_password(),
                role=role,
                project=project,
                actor=SYSTEM,
                now=timezone.now(),
            )
        except StaffRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{email} was created as {role.value} {where}.")

    def _grant(
        self, staff: StaffMember, *, role: Role, project: Project | None, where: str
    ) -> None:
        try:
            grant_role(staff=staff, role=role, project=project, actor=SYSTEM, now=timezone.now())
        except RoleAlreadyHeld as refusal:
            raise CommandError(
                f"{staff.email} exists and is {role.value} {where} already: "
                "choose another e-mail, role or project."
            ) from refusal
        self.stdout.write(
            f"{staff.email} existed and is now {role.value} {where} too; the password stays."
        )


def read_password() -> str:
    """
    Return the password from STAFF_PASSWORD, else typed twice.

    :raises CommandError: if there is neither, or the two differ.
    """
    password = env("STAFF_PASSWORD", "")
    if password:
        return password
    if not sys.stdin.isatty():
        raise CommandError("There is no password: set STAFF_PASSWORD, or run this in a terminal.")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Password again: "):
        raise CommandError("The two passwords differ: run the command again.")
    return password
