from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("promptsets", "0004_frozen"), ("accounts", "0005_uses")]

    operations = [migrations.RunSQL(sql_file("promptsets", "brought"), migrations.RunSQL.noop)]
