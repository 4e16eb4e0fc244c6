from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("checkpoints", "0005_upload_weights")]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="starts",
            field=models.PositiveSmallIntegerField(default=0, help_text="How often one took it."),
        ),
    ]
