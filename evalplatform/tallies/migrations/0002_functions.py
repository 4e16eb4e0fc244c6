from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("tallies", "0001_initial"),
        ("annotation", "0003_audit"),
        ("generation", "0001_initial"),
        ("promptsets", "0001_initial"),
    ]

    operations = [migrations.RunSQL(sql_file("tallies", "tallies"), migrations.RunSQL.noop)]
