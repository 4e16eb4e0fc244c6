from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0001_initial"),
        ("campaigns", "0002_sql"),
        ("accounts", "0003_sql"),
    ]

    operations = [
        migrations.RunSQL(sql_file("annotation", name), migrations.RunSQL.noop)
        for name in ("grades", "slots", "votes", "lease", "doors", "audit")
    ]
