"""
Let the indexes of the list answer more by themselves.

The one by registration carries the deletion: counts of who is there need not read the rows.
The one by name leaves the stubs of deleted users out: they have no name, and all of them
stood before the first page.
"""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("users", "0001_initial")]

    operations = [
        migrations.RemoveIndex(model_name="user", name="user_by_registration"),
        migrations.RemoveIndex(model_name="user", name="user_by_name"),
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
    ]
