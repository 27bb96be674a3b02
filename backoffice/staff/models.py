"""Staff members: the people who sign in here, and their roles. Never the users of a platform."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from backoffice.core.permissions import Role
from backoffice.projects.models import Project


class StaffManager(BaseUserManager["StaffMember"]):
    def get_by_natural_key(self, username: str | None) -> "StaffMember":
        return self.get(email__iexact=username)


class StaffMember(AbstractBaseUser):
    """One person who signs in to the back office, by e-mail and password."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, blank=True)
    language = models.CharField(max_length=10, default="en")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    # The project chosen in the header, remembered from one visit to the next.
    last_project = models.ForeignKey(
        Project, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []

    objects = StaffManager()

    def __str__(self) -> str:
        return self.name or self.email


class StaffRole(models.Model):
    """One role of a staff member, on one project or, without a project, on all of them."""

    staff_member = models.ForeignKey(StaffMember, models.CASCADE, related_name="roles")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="+")
    role = models.CharField(max_length=8, choices=Role)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["staff_member", "project"],
                nulls_distinct=False,
                name="staff_role_one_for_each_project",
            ),
        )

    def __str__(self) -> str:
        return f"{self.staff_member_id} {self.role}"
