import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone


def say_when_retired(apps, schema_editor):
    """Nobody recorded it so far; the moment of this migration is the latest it can have been."""
    checkpoints = apps.get_model("checkpoints", "Checkpoint").objects
    checkpoints.filter(status="retired").update(retired_at=timezone.now())


class Migration(migrations.Migration):

    dependencies = [
        ('checkpoints', '0004_origin'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='checkpoint',
            name='retired_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='checkpoint',
            name='retired_by',
            field=models.ForeignKey(blank=True, help_text='Nobody: by command.', null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL),
        ),
        migrations.RunPython(say_when_retired, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='checkpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('retired_at__isnull', False), ('status', 'retired')), models.Q(('retired_at', None), ('retired_by', None), ('status', 'verified')), _connector='OR'), name='checkpoint_retired_says_when'),
        ),
    ]
