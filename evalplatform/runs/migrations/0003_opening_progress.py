from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0002_triggers'),
    ]

    operations = [
        migrations.AddField(
            model_name='draft',
            name='opening_beaten_at',
            field=models.DateTimeField(blank=True, help_text='When whoever opens it last told that they live.', null=True),
        ),
        migrations.AddField(
            model_name='draft',
            name='opening_doing',
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name='draft',
            name='opening_done',
            field=models.PositiveBigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='draft',
            name='opening_total',
            field=models.PositiveBigIntegerField(default=0, help_text='0: not counted.'),
        ),
    ]
