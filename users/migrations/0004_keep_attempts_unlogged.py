"""
Keep the allowances of attempts out of the write-ahead log.

The ORM cannot say UNLOGGED. A bucket is worth nothing after a crash, and without the log a
refused sign-in waits for no disk.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("users", "0003_add_device_sessions_and_resets")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE users_attemptallowance SET UNLOGGED",
            "ALTER TABLE users_attemptallowance SET LOGGED",
        )
    ]
