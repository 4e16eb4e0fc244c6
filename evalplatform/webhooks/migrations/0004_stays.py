from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0003_scoring_events"), ("accounts", "0005_uses")]

    operations = [migrations.RunSQL(sql_file("webhooks", "project"), migrations.RunSQL.noop)]
