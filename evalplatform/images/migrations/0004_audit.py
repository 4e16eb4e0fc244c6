from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("images", "0003_project"), ("accounts", "0004_audit")]

    operations = [migrations.RunSQL(sql_file("images", "audit"), migrations.RunSQL.noop)]
