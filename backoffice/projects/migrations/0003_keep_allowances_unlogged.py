"""
Keep the allowances of keys out of the write-ahead log.

The ORM cannot say UNLOGGED. A bucket is worth nothing after a crash, and without the log each
request of a platform takes its token without waiting for the disk.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("projects", "0002_add_allowance_and_stored_answer")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE projects_keyallowance SET UNLOGGED",
            "ALTER TABLE projects_keyallowance SET LOGGED",
        )
    ]
