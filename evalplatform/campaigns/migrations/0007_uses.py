from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0006_chosen_triggers"), ("accounts", "0005_uses")]

    operations = [migrations.RunSQL(sql_file("campaigns", "project"), migrations.RunSQL.noop)]
