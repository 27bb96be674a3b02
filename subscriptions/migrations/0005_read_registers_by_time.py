"""
Read the registers of payments newest first from indexes.

Made without blocking writers; an index left invalid by a failure is dropped and made again by
running the migration once more.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("subscriptions", "0004_providers")]

    operations = [
        AddIndexConcurrently(
            model_name="subscription",
            index=models.Index(
                fields=["project", "started_at", "id"], name="subscription_by_time"
            ),
        ),
        AddIndexConcurrently(
            model_name="purchase",
            index=models.Index(fields=["project", "purchased_at", "id"], name="purchase_by_time"),
        ),
        AddIndexConcurrently(
            model_name="freecopy",
            index=models.Index(fields=["project", "sent_at", "id"], name="free_copy_by_time"),
        ),
    ]
