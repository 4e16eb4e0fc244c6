from django.db import migrations

from evalplatform.core.sql_files import sql_file

# Those that do not know how far an annotator has gone; the files' own stand beside them otherwise.
BEFORE = """
DROP FUNCTION IF EXISTS annotation_may_judge(bigint, bigint, text);
DROP FUNCTION IF EXISTS annotation_first_free(
    bigint, bigint, integer, jsonb, float8, float8, text
);
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0005_qualification_tries"), ("campaigns", "0008_sets_of_prompts")]

    operations = [
        migrations.RunSQL(BEFORE + sql_file("annotation", "lease"), migrations.RunSQL.noop)
    ]
