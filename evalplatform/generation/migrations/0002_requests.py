"""Requests above the batches, what batches and workers report, and no message time any more."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


def give_old_batches_a_request(apps, schema_editor):
    batches = apps.get_model("generation", "GenerationBatch").objects.filter(request=None)
    if batches.exists():
        request = apps.get_model("generation", "GenerationRequest").objects.create(name="earlier")
        batches.update(request=request)


class Migration(migrations.Migration):

    dependencies = [("generation", "0001_initial"), ("checkpoints", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="GenerationRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=80, unique=True)),
                ("status", models.CharField(choices=[("active", "Active"), ("paused", "Paused"), ("cancelled", "Cancelled")], default="active", max_length=9)),
                ("priority", models.SmallIntegerField(default=0, help_text="Higher goes first; of one priority, the older request.")),
                ("budget_seconds", models.PositiveIntegerField(blank=True, help_text="Worker time it may use; null is no limit.", null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ("spent_seconds", models.FloatField(default=0, help_text="Worker time used so far.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["-priority", "created_at", "pk"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("budget_seconds__isnull", True), ("budget_seconds__gte", 1), _connector="OR"), name="request_budget_at_least_a_second"),
                    models.CheckConstraint(condition=models.Q(("spent_seconds__gte", 0)), name="request_spent_time"),
                ],
            },
        ),
        migrations.AddField("generationbatch", "request", models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="batches", to="generation.generationrequest")),
        migrations.RunPython(give_old_batches_a_request, migrations.RunPython.noop, elidable=True),
    ]
