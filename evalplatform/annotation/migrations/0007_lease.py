"""Leasing as functions of the database."""

from django.db import migrations

from evalplatform.annotation import sql

DROP = """
DROP FUNCTION annotation_lease_check(
    bigint, integer, text, timestamptz, timestamptz, text, integer, integer
);
DROP FUNCTION annotation_lease(bigint, integer, text, timestamptz, timestamptz);
DROP FUNCTION annotation_may_judge(bigint, bigint, text);
DROP FUNCTION annotation_has_met(bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0006_crowd_visit")]

    operations = [migrations.RunSQL(sql.text("lease"), DROP)]
