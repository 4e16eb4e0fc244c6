from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("tallies", "0003_pending")]

    operations = [migrations.RunSQL(sql_file("tallies", "pending"), migrations.RunSQL.noop)]
