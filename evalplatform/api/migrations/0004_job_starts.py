from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0003_job_kinds")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="starts",
            field=models.PositiveSmallIntegerField(default=0, help_text="How often it was begun."),
        ),
        migrations.AddField(
            model_name="job",
            name="unheld_since",
            field=models.DateTimeField(
                blank=True,
                null=True,
                help_text="When a running one was first found without a worker.",
            ),
        ),
    ]
