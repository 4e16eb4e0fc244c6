from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0009_criteria_frozen")]

    operations = [migrations.RunSQL(sql_file("campaigns", "criteria"), migrations.RunSQL.noop)]
