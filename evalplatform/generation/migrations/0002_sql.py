from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("generation", "0001_initial"), ("accounts", "0003_sql")]

    operations = [
        migrations.RunSQL(sql_file("generation", name), migrations.RunSQL.noop)
        for name in ("project", "audit")
    ]
