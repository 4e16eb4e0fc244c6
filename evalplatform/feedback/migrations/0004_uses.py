from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("feedback", "0003_scores"), ("accounts", "0005_uses")]

    operations = [migrations.RunSQL(sql_file("feedback", "project"), migrations.RunSQL.noop)]
