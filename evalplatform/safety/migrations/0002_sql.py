from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("safety", "0001_initial")]

    operations = [migrations.RunSQL(sql_file("safety", "checks"), migrations.RunSQL.noop)]
