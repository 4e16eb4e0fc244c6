from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("promptsets", "0003_audit")]

    operations = [migrations.RunSQL(sql_file("promptsets", "frozen"), migrations.RunSQL.noop)]
