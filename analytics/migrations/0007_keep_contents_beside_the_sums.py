"""
One row holds all that a batch of viewings needs of a user: who it is, the sums and the contents.

Two tables and a look-up of the user meant six pages for each user of a batch, all of them cold. The
order of the columns matters: what seldom changes stands first and the contents last, so that the
log of a change repeats neither. Room for new versions in each page, and rows of up to some 2,000
contents in the page itself: beyond 2 KB PostgreSQL would try to compress them, in vain, and put
them into a table of their own, which every added content writes anew. Raw SQL because Django knows
neither.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Func

FORWARD = """
SET LOCAL statement_timeout = 0;
ALTER TABLE analytics_userviewing RENAME TO former_userviewing;
ALTER INDEX analytics_userviewing_pkey RENAME TO former_userviewing_pkey;
CREATE TABLE analytics_userviewing (
    user_id bigint NOT NULL,
    public_id uuid NOT NULL,
    account_platform_id bigint NOT NULL,
    project_id bigint NOT NULL,
    first_content_id bigint,
    first_viewed_at timestamptz,
    views integer NOT NULL,
    media_viewed integer GENERATED ALWAYS AS (cardinality(content_ids)) STORED,
    viewing_seconds bigint NOT NULL,
    last_content_id bigint,
    last_viewed_at timestamptz,
    last_started_at timestamptz NOT NULL,
    platform_ids bigint[] NOT NULL,
    content_ids integer[] NOT NULL
) WITH (fillfactor = 75, toast_tuple_target = 8160);
ALTER TABLE analytics_userviewing ALTER COLUMN content_ids SET STORAGE EXTERNAL;
INSERT INTO analytics_userviewing (
    user_id, public_id, account_platform_id, project_id, first_content_id, first_viewed_at, views,
    viewing_seconds, last_content_id, last_viewed_at, last_started_at, platform_ids, content_ids
)
SELECT u.id, u.public_id, u.platform_id, u.project_id, v.first_content_id, v.first_viewed_at,
       coalesce(v.views, 0), coalesce(v.viewing_seconds, 0), v.last_content_id, v.last_viewed_at,
       a.last_started_at, coalesce(v.platform_ids, '{}'), coalesce(m.content_ids, '{}')
FROM (
    SELECT user_id, max(started_at) AS last_started_at FROM analytics_viewing GROUP BY user_id
) AS a
JOIN users_user AS u ON u.id = a.user_id AND u.deleted_at IS NULL
LEFT JOIN former_userviewing AS v USING (user_id)
LEFT JOIN analytics_usermedia AS m USING (user_id)
ORDER BY u.id;
ALTER TABLE analytics_userviewing
    ADD CONSTRAINT analytics_userviewing_pkey PRIMARY KEY (user_id);
CREATE INDEX user_viewing_by_public_id ON analytics_userviewing USING hash (public_id);
DROP TABLE former_userviewing, analytics_usermedia;
"""

REVERSE = """
SET LOCAL statement_timeout = 0;
ALTER TABLE analytics_userviewing RENAME TO later_userviewing;
ALTER INDEX analytics_userviewing_pkey RENAME TO later_userviewing_pkey;
CREATE TABLE analytics_userviewing (
    user_id bigint NOT NULL PRIMARY KEY,
    project_id bigint NOT NULL,
    views integer NOT NULL,
    viewing_seconds bigint NOT NULL,
    media_viewed integer NOT NULL,
    first_viewed_at timestamptz NOT NULL,
    last_viewed_at timestamptz NOT NULL,
    platform_ids bigint[] NOT NULL,
    first_content_id bigint NOT NULL,
    last_content_id bigint NOT NULL
);
CREATE TABLE analytics_usermedia (
    user_id bigint NOT NULL PRIMARY KEY,
    project_id bigint NOT NULL,
    content_ids integer[] NOT NULL
) WITH (fillfactor = 90, toast_tuple_target = 8160);
ALTER TABLE analytics_usermedia ALTER COLUMN content_ids SET STORAGE EXTERNAL;
INSERT INTO analytics_userviewing
SELECT user_id, project_id, views, viewing_seconds, media_viewed, first_viewed_at, last_viewed_at,
       platform_ids, first_content_id, last_content_id
FROM later_userviewing WHERE views > 0;
INSERT INTO analytics_usermedia
SELECT user_id, project_id, content_ids FROM later_userviewing WHERE views > 0;
DROP TABLE later_userviewing;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0006_keep_user_media_in_line"),
        ("users", "0007_add_deletion"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(FORWARD, REVERSE)],
            [
                migrations.DeleteModel("UserMedia"),
                migrations.RemoveField("userviewing", "media_viewed"),
                migrations.AddField("userviewing", "public_id", models.UUIDField()),
                migrations.AddField(
                    "userviewing", "account_platform_id", models.BigIntegerField()
                ),
                migrations.AddField("userviewing", "last_started_at", models.DateTimeField()),
                *(
                    migrations.AlterField(
                        "userviewing",
                        f"{which}_content",
                        models.ForeignKey(
                            db_constraint=False,
                            db_index=False,
                            null=True,
                            on_delete=django.db.models.deletion.DO_NOTHING,
                            related_name="+",
                            to="analytics.content",
                        ),
                    )
                    for which in ("first", "last")
                ),
                *(
                    migrations.AlterField(
                        "userviewing", f"{which}_viewed_at", models.DateTimeField(null=True)
                    )
                    for which in ("first", "last")
                ),
                migrations.AddField(
                    "userviewing",
                    "content_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), size=None
                    ),
                ),
                migrations.AddField(
                    "userviewing",
                    "media_viewed",
                    models.GeneratedField(
                        db_persist=True,
                        expression=Func(F("content_ids"), function="cardinality"),
                        output_field=models.IntegerField(),
                    ),
                ),
                migrations.AddIndex(
                    "userviewing",
                    django.contrib.postgres.indexes.HashIndex(
                        fields=["public_id"], name="user_viewing_by_public_id"
                    ),
                ),
            ],
        )
    ]
