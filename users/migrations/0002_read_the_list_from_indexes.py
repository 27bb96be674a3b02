"""
Let the indexes of the list answer more by themselves.

The one by registration carries the deletion: counts of who is there need not read the rows.
Those by name and status leave the stubs of deleted users out, which no list shows: without a
name, all of them stood before the first page.
"""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("users", "0001_initial")]

    operations = [
        migrations.RemoveIndex(model_name="user", name="user_by_registration"),
        migrations.RemoveIndex(model_name="user", name="user_by_name"),
        migrations.RemoveIndex(model_name="user", name="user_by_status"),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                F("project"),
                F("registered_at").desc(),
                F("id").desc(),
                include=("deleted_at",),
                name="user_by_registration",
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                F("project"),
                F("sort_name"),
                F("id"),
                condition=Q(deleted_at=None),
                name="user_by_name",
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                fields=["project", "status", "registered_at", "id"],
                condition=Q(deleted_at=None),
                name="user_by_status",
            ),
        ),
    ]
