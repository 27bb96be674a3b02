"""
Hold the contents of a user in four bytes each, with room for a new version in each page.

Every new content rewrites its user's row: half the bytes are half the log, and fewer users have
so many contents that their row is compressed. One more version fits into the page, so that the
index need not be told.
"""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0004_keep_sums_of_deleted_users")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE analytics_usermedia SET (fillfactor = 90)",
            "ALTER TABLE analytics_usermedia RESET (fillfactor)",
        ),
        migrations.AlterField(
            model_name="usermedia",
            name="content_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.IntegerField(), size=None
            ),
        ),
    ]
