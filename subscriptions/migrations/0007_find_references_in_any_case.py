"""
Find a payment by its reference without case; nothing else reads the indexes that did so with it.

Made without blocking writers; an index left invalid by a failure is dropped and made again by
running the migration once more.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("subscriptions", "0006_compare_single_payments")]

    operations = [
        AddIndexConcurrently(
            model_name="subscription",
            index=models.Index(F("project"), Lower("reference"), name="subscription_by_any_case"),
        ),
        AddIndexConcurrently(
            model_name="purchase",
            index=models.Index(F("project"), Lower("reference"), name="purchase_by_any_case"),
        ),
        RemoveIndexConcurrently(model_name="subscription", name="subscription_by_reference"),
        RemoveIndexConcurrently(model_name="purchase", name="purchase_by_reference"),
    ]
