from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_projects")]

    operations = [migrations.RunSQL(sql_file("accounts", "audit"), migrations.RunSQL.noop)]
