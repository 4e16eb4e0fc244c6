from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_cache_table")]

    operations = [
        migrations.RunSQL(sql_file("accounts", name), migrations.RunSQL.noop)
        for name in ("projects", "audit")
    ]
