import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('checkpoints', '0001_initial'),
        ('promptsets', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='GenerationRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(max_length=80, unique=True)),
                ('status', models.CharField(choices=[('active', 'Active'), ('paused', 'Paused'), ('cancelled', 'Cancelled')], default='active', max_length=9)),
                ('priority', models.SmallIntegerField(default=0, help_text='Higher goes first; of one priority, the older request.')),
                ('budget_seconds', models.PositiveIntegerField(blank=True, help_text='Worker time it may use; null is no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('spent_seconds', models.FloatField(default=0, help_text='Worker time used so far.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'ordering': ['-priority', 'created_at', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('budget_seconds__isnull', True), ('budget_seconds__gte', 1), _connector='OR'), name='request_budget_at_least_a_second'), models.CheckConstraint(condition=models.Q(('spent_seconds__gte', 0)), name='request_spent_time')],
            },
        ),
        migrations.CreateModel(
            name='GenerationBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=9)),
                ('worker', models.CharField(blank=True, help_text='Who has it, or had it last.', max_length=120)),
                ('lease_expires_at', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('error', models.TextField(blank=True, help_text='Why it failed, as a person reads it.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('images_made', models.PositiveIntegerField(default=0)),
                ('seconds', models.FloatField(default=0, help_text='Worker time used, over all attempts.')),
                ('stages', models.JSONField(blank=True, default=dict, help_text='Seconds by stage, which overlap, over all attempts.')),
                ('environment', models.JSONField(blank=True, default=dict, help_text='Device and versions that made its samples.')),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='batches', to='checkpoints.checkpoint')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='batches', to='generation.generationrequest')),
            ],
            options={
                'verbose_name_plural': 'generation batches',
                'indexes': [models.Index(condition=models.Q(('status__in', ['queued', 'running'])), fields=['status', 'lease_expires_at'], name='batch_unfinished')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('status', 'running'), _negated=True), ('lease_expires_at__isnull', False), _connector='OR'), name='batch_running_has_lease'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'failed'), _negated=True), models.Q(('error', ''), _negated=True), _connector='OR'), name='batch_failed_says_why')],
            },
        ),
        migrations.CreateModel(
            name='SamplerSettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sampler', models.CharField(max_length=40)),
                ('steps', models.PositiveIntegerField()),
                ('guidance_scale', models.FloatField()),
                ('negative_prompt', models.TextField(blank=True)),
                ('height', models.PositiveIntegerField(blank=True, null=True)),
                ('width', models.PositiveIntegerField(blank=True, null=True)),
            ],
            options={
                'verbose_name_plural': 'sampler settings',
                'constraints': [models.UniqueConstraint(fields=('sampler', 'steps', 'guidance_scale', 'negative_prompt', 'height', 'width'), name='sampler_settings_unique', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('steps__gte', 1)), name='sampler_settings_steps')],
            },
        ),
        migrations.CreateModel(
            name='Sample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seed', models.PositiveBigIntegerField()),
                ('status', models.CharField(choices=[('planned', 'Planned'), ('ready', 'Ready')], default='planned', max_length=8)),
                ('image', models.CharField(blank=True, help_text='Name in object storage.', max_length=200)),
                ('image_sha256', models.CharField(blank=True, max_length=64)),
                ('width', models.PositiveIntegerField(blank=True, null=True)),
                ('height', models.PositiveIntegerField(blank=True, null=True)),
                ('pixels_sha256', models.CharField(blank=True, help_text='Of size and RGB values: equal where images are.', max_length=64)),
                ('is_constant', models.BooleanField(default=False, help_text='Whether it is of one colour.')),
                ('prompt_tokens', models.PositiveIntegerField(blank=True, null=True)),
                ('tokens_read', models.PositiveIntegerField(blank=True, null=True)),
                ('code_version', models.CharField(blank=True, max_length=80)),
                ('generated_at', models.DateTimeField(blank=True, null=True)),
                ('batch', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='samples', to='generation.generationbatch')),
                ('checkpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='samples', to='checkpoints.checkpoint')),
                ('prompt', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='samples', to='promptsets.prompt')),
                ('settings', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='generation.samplersettings')),
            ],
            options={
                'indexes': [models.Index(fields=['-generated_at'], name='sample_made_last')],
                'constraints': [models.UniqueConstraint(fields=('checkpoint', 'prompt', 'seed', 'settings'), name='sample_unique_key'), models.CheckConstraint(condition=models.Q(('status', 'planned'), models.Q(models.Q(('image', ''), _negated=True), ('image_sha256__regex', '^[0-9a-f]{64}$'), ('pixels_sha256__regex', '^[0-9a-f]{64}$'), ('width__gte', 1)), _connector='OR'), name='sample_ready_has_image'), models.CheckConstraint(condition=models.Q(models.Q(('prompt_tokens', None), ('tokens_read', None)), models.Q(('prompt_tokens__isnull', False), ('tokens_read__isnull', False), ('tokens_read__lte', models.F('prompt_tokens'))), _connector='OR'), name='sample_reads_no_more_than_there_is')],
            },
        ),
        migrations.AddField(
            model_name='generationbatch',
            name='settings',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='generation.samplersettings'),
        ),
        migrations.CreateModel(
            name='WorkerHeartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, unique=True)),
                ('pid', models.PositiveIntegerField()),
                ('device', models.CharField(blank=True, max_length=120)),
                ('device_bytes', models.PositiveBigIntegerField(default=0, help_text="The device's memory; 0 until it is measured.")),
                ('memory_bytes', models.PositiveBigIntegerField(default=0, help_text='What warm pipelines may take of it.')),
                ('loaded', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, default=list, help_text='Checkpoints whose pipelines it keeps warm.', size=None)),
                ('loaded_bytes', models.PositiveBigIntegerField(default=0, help_text='Memory those take.')),
                ('images_made', models.PositiveBigIntegerField(default=0, help_text='Since it started.')),
                ('images_per_second', models.FloatField(blank=True, help_text='Over its last minutes of work; null: none yet.', null=True)),
                ('started_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('batch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='generation.generationbatch')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('seen_at__gte', models.F('started_at'))), name='heartbeat_after_start')],
            },
        ),
    ]
