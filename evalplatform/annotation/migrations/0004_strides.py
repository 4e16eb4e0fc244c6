from django.db import migrations

from evalplatform.core.sql_files import sql_file

# Those without a stride; the files' own stand beside them otherwise.
BEFORE = """
DROP FUNCTION IF EXISTS annotation_step(integer, jsonb, float8);
DROP FUNCTION IF EXISTS annotation_first_free(bigint, bigint, integer, jsonb, float8, text);
DROP FUNCTION IF EXISTS annotation_lease(bigint, integer, text, timestamptz, timestamptz, float8);
DROP FUNCTION IF EXISTS annotation_lease_check(
    bigint, integer, text, timestamptz, timestamptz, float8, text, integer, integer
);
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0003_audit")]

    operations = [
        migrations.RunSQL(BEFORE + sql_file("annotation", "lease"), migrations.RunSQL.noop)
    ]
