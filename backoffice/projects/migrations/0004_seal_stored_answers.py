"""
Keep answers encrypted.

The answers of the last day are forgotten, which the ORM cannot say of a whole table at once:
nobody could open them.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0003_keep_allowances_unlogged")]

    operations = [
        migrations.RunSQL("TRUNCATE projects_storedanswer", migrations.RunSQL.noop),
        migrations.RemoveField("storedanswer", "body"),
        migrations.AddField("storedanswer", "body", models.TextField()),
    ]
