from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("checkpoints", "0003_audit"), ("accounts", "0005_uses")]

    operations = [migrations.RunSQL(sql_file("checkpoints", "project"), migrations.RunSQL.noop)]
