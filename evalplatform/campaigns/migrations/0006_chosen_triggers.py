from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0005_chosen_images")]

    operations = [migrations.RunSQL(sql_file("campaigns", "chosen"), migrations.RunSQL.noop)]
