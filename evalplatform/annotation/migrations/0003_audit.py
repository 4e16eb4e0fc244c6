from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("annotation", "0002_functions"), ("accounts", "0004_audit")]

    operations = [migrations.RunSQL(sql_file("annotation", "audit"), migrations.RunSQL.noop)]
