"""
Make the table of the cache, where failures of sign-in are counted.

`createcachetable` would do the same, but is one more command that a set-up can forget.
"""

from django.db import migrations

FORWARD = """
CREATE TABLE backoffice_cache (
    cache_key varchar(255) PRIMARY KEY,
    value text NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX backoffice_cache_expires ON backoffice_cache (expires);
"""

REVERSE = "DROP TABLE backoffice_cache;"


class Migration(migrations.Migration):
    dependencies = [("staff", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
