from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("promptsets", "0002_project"), ("accounts", "0004_audit")]

    operations = [migrations.RunSQL(sql_file("promptsets", "audit"), migrations.RunSQL.noop)]
