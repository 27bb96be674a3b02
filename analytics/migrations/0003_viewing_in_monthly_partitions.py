"""
Create the table of viewings, partitioned by the month of the start.

Raw SQL because Django knows no partitions. The partitions themselves are made when a month
is first written to (analytics/partitions.py). No foreign keys: each would be checked once a
row of the largest table, and a distributed table may not have them.
"""

from django.db import migrations

FORWARD = """
CREATE TABLE analytics_viewing (
    user_id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    id uuid NOT NULL,
    project_id integer NOT NULL,
    platform_id integer NOT NULL,
    content_id integer NOT NULL,
    device_id integer NOT NULL,
    watched_seconds integer NOT NULL,
    position_seconds integer NOT NULL,
    has_ended boolean NOT NULL,
    country varchar(2) NOT NULL,
    CONSTRAINT viewing_seconds_not_negative
        CHECK (watched_seconds >= 0 AND position_seconds >= 0),
    PRIMARY KEY (user_id, started_at, id)
) PARTITION BY RANGE (started_at);
"""

REVERSE = "DROP TABLE analytics_viewing;"


class Migration(migrations.Migration):
    dependencies = [("analytics", "0002_initial")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
