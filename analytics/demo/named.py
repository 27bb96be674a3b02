"""The people to whom the demo gives a name: the staff, one for each role, and a few users."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db.models import QuerySet

from backoffice.audit.recording import SYSTEM
from backoffice.core.permissions import Role
from backoffice.core.text import email_key, search_text
from backoffice.projects.models import Project
from backoffice.staff.actions import create_staff
from subscriptions.models import Subscription
from users.models import User, UserSearch

# Known to everybody: demo_data refuses to run in production.
PASSWORD = "lumiere-aurora-demo"  # noqa: S105

# (e-mail, name, role, slug of the project; none for all)
STAFF = (
    ("owner@example.com", "Olive Hart", Role.OWNER, None),
    ("admin@example.com", "Adèle Roy", Role.ADMIN, None),
    ("support@example.com", "Samir Haddad", Role.SUPPORT, None),
    ("analyst@example.com", "Anna Weiß", Role.ANALYST, None),
    ("reader@example.com", "Rémi Petit", Role.READER, "lumiere"),
)


def create_demo_staff(*, now: datetime) -> None:
    """Create the demo staff."""
    for email, name, role, slug in STAFF:
        create_staff(
            email=email,
            name=name,
            password=PASSWORD,
            role=role,
            project=Project.objects.get(slug=slug) if slug else None,
            actor=SYSTEM,
            now=now,
        )


def name_users(project: Project, *, now: datetime, seed: int) -> None:
    """
    Give one user of each kind of life an address to be found by and a password to sign in with.

    The addresses are `<kind>@<project>.example`. A kind that nobody lives is left out.
    """
    # One hash for all, since hashing is meant to be slow; its salt makes the rows repeatable.
    password = make_password(PASSWORD, salt=f"demo{seed:018}")
    named: list[int] = []
    for kind, users in kinds_of_life(project, now=now).items():
        user = users.exclude(pk__in=named).filter(deleted_at=None).order_by("pk").first()
        if user is None:
            continue
        named.append(user.pk)
        user.email = f"{kind}@{project.slug}.example"
        user.email_key = email_key(user.email)
        user.password = password
        user.save(update_fields=["email", "email_key", "password"])
        UserSearch.objects.filter(user=user).update(
            text=search_text(user.first_name, user.last_name, user.email)
        )


def kinds_of_life(project: Project, *, now: datetime) -> dict[str, QuerySet[User]]:
    """Return the users of the project by what their subscription says, the rarest first."""
    users = User.objects.filter(project=project)
    asked_to_stop = Subscription.objects.filter(cancel_at__gt=now, status="active")
    return {
        "trial": users.filter(subscriptions__status="trialing"),
        "late": users.filter(subscriptions__status="past_due"),
        "leaving": users.filter(subscriptions__in=asked_to_stop),
        "active": users.filter(status=User.Status.ACTIVE, subscriptions__status="active"),
        "cancelled": users.filter(status=User.Status.CANCELLED, subscriptions__status="canceled"),
        "registered": users.filter(status=User.Status.REGISTERED, subscriptions=None),
    }
