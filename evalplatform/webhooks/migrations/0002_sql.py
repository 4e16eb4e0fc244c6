from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0001_initial"),
        ("accounts", "0003_sql"),
        ("api", "0001_initial"),
        ("campaigns", "0001_initial"),
        ("checkpoints", "0001_initial"),
        ("curation", "0001_initial"),
        ("exports", "0001_initial"),
        ("flows", "0001_initial"),
        ("generation", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(sql_file("webhooks", name), migrations.RunSQL.noop)
        for name in ("webhooks", "project")
    ]
