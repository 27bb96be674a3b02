"""Staff members: the people who sign in here, and their roles. Never the users of a platform."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from backoffice.core.permissions import Role
from backoffice.projects.models import Project


class StaffManager(BaseUserManager["StaffMember"]):
    def get_by_natural_key(self, username: str | None) -> "StaffMember":
        return self.get(email=(username or "").strip().lower())


class StaffMember(AbstractBaseUser):
    """One person who signs in to the back office, by e-mail and password."""

    # Kept in lower case, so that one address is one person.
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, blank=True)
    # Empty until chosen: then the browser's language holds.
    language = models.CharField(max_length=10, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    # The project chosen in the header, remembered from one visit to the next.
    last_project = models.ForeignKey(
        Project, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = StaffManager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(email=Lower("email")),
                name="staff_member_email_is_lower_case",
            ),
        )

    def __str__(self) -> str:
        return self.name or self.email


class StaffRole(models.Model):
    """
    One role of a staff member, on one project or, without a project, on all of them.

    Roles add up: who is support on all projects and analyst on one may there do both.
    """

    staff_member = models.ForeignKey(StaffMember, models.CASCADE, related_name="roles")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="+")
    role = models.CharField(max_length=8, choices=Role)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["staff_member", "project", "role"],
                nulls_distinct=False,
                name="staff_role_held_once",
            ),
            models.CheckConstraint(
                condition=Q(role__in=("owner", "admin", "support", "analyst", "reader")),
                name="staff_role_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.staff_member_id} {self.role}"
