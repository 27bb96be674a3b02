"""
Keep a user's contents in the row itself, up to some 2,000 of them.

Beyond 2 KB PostgreSQL would try to compress them, in vain, and put them into a table of their own,
which every added content writes anew: whoever watches much would cost three times as much. Raw SQL
because Django knows no storage parameters. Rows move when they are next written.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE analytics_usermedia SET (toast_tuple_target = 8160);
ALTER TABLE analytics_usermedia ALTER COLUMN content_ids SET STORAGE EXTERNAL;
"""

REVERSE = """
ALTER TABLE analytics_usermedia ALTER COLUMN content_ids SET STORAGE EXTENDED;
ALTER TABLE analytics_usermedia RESET (toast_tuple_target);
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0005_narrow_user_media")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
