from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("curation", "0002_triggers"), ("accounts", "0005_uses")]

    operations = [migrations.RunSQL(sql_file("curation", "project"), migrations.RunSQL.noop)]
