from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial"), ("accounts", "0004_audit")]

    operations = [
        migrations.RunSQL(sql_file("runs", "audit"), migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("runs", "revisions"), migrations.RunSQL.noop),
    ]
