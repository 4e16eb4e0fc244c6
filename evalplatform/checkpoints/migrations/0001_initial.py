import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.fields.json
import django.db.models.functions.comparison
import django.db.models.lookups
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('accounts', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_shared', models.BooleanField(default=False, help_text='Whether every project may read and use it.')),
                ('name', models.SlugField(max_length=80, unique=True)),
                ('role', models.CharField(choices=[('pretrained', 'Pre-trained'), ('quality_tuned', 'Quality-tuned'), ('baseline', 'Baseline'), ('preference_tuned', 'Preference-tuned'), ('external', 'External')], max_length=16)),
                ('status', models.CharField(choices=[('verified', 'Verified'), ('retired', 'Retired')], max_length=16)),
                ('family', models.CharField(max_length=60)),
                ('sha256', models.CharField(max_length=64, unique=True)),
                ('origin', models.JSONField(blank=True, default=dict, help_text='Where the files came from: hub, commit, variant.')),
                ('config', models.JSONField(default=dict)),
                ('training', models.JSONField(default=dict, help_text='Provenance as the trainer recorded it.')),
                ('licences', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), blank=True, default=list, size=None)),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('parameters', models.JSONField(default=dict, help_text='Parameters by dtype, as stored.')),
                ('loaded_bytes', models.GeneratedField(db_persist=True, expression=django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('size_bytes'), '+', django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.Cast(django.db.models.fields.json.KeyTextTransform('F8_E4M3', 'parameters'), models.BigIntegerField()), models.Value(0), output_field=models.BigIntegerField())), '+', django.db.models.functions.comparison.Coalesce(django.db.models.functions.comparison.Cast(django.db.models.fields.json.KeyTextTransform('F8_E5M2', 'parameters'), models.BigIntegerField()), models.Value(0), output_field=models.BigIntegerField())), help_text='About what a GPU holds of it.', output_field=models.PositiveBigIntegerField())),
                ('registered_at', models.DateTimeField(auto_now_add=True)),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
                ('parent', models.ForeignKey(blank=True, db_column='parent_sha256', db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='checkpoints.checkpoint', to_field='sha256')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
                ('retired_by', models.ForeignKey(blank=True, help_text='Nobody: by command.', null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('retired_at__isnull', False), ('status', 'retired')), models.Q(('retired_at', None), ('retired_by', None), ('status', 'verified')), _connector='OR'), name='checkpoint_retired_says_when'), models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='checkpoint_sha256_is_hex'), models.CheckConstraint(condition=models.Q(('parent', models.F('sha256')), _negated=True), name='checkpoint_not_its_own_parent'), models.CheckConstraint(condition=models.Q(('parent', None), django.db.models.lookups.Regex(django.db.models.functions.comparison.Cast('parent', models.CharField()), '^[0-9a-f]{64}$'), _connector='OR'), name='checkpoint_parent_is_hex'), models.CheckConstraint(condition=models.Q(models.Q(('origin__has_key', 'hub'), _negated=True), ('origin__has_key', 'commit'), _connector='OR'), name='checkpoint_from_a_hub_has_its_commit')],
            },
        ),
        migrations.CreateModel(
            name='Upload',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('file_name', models.CharField(max_length=200)),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('checkpoint_name', models.CharField(max_length=80)),
                ('role', models.CharField(blank=True, choices=[('pretrained', 'Pre-trained'), ('quality_tuned', 'Quality-tuned'), ('baseline', 'Baseline'), ('preference_tuned', 'Preference-tuned'), ('external', 'External')], help_text='Blank: as trained.', max_length=16)),
                ('base', models.ForeignKey(blank=True, help_text='The checkpoint that it is put into; null: it is whole.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='checkpoints.checkpoint')),
                ('part', models.CharField(blank=True, choices=[('lora', 'LoRA'), ('unet', 'U-Net'), ('transformer', 'Transformer'), ('vae', 'VAE'), ('text_encoder', 'Text encoder'), ('text_encoder_2', 'Second text encoder')], help_text='What of the base it is.', max_length=16)),
                ('scale', models.FloatField(default=1.0, help_text='How much of a LoRA is added.')),
                ('status', models.CharField(choices=[('uploading', 'Uploading'), ('verifying', 'Verifying'), ('verified', 'Verified'), ('rejected', 'Rejected')], default='uploading', max_length=10)),
                ('reason', models.TextField(blank=True, help_text='Why it was rejected.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('sent_at', models.DateTimeField(blank=True, help_text='When a worker was woken.', null=True)),
                ('started_at', models.DateTimeField(blank=True, help_text='When one took it.', null=True)),
                ('checkpoint', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='uploads', to='checkpoints.checkpoint')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('status', 'rejected'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='upload_rejected_says_why'), models.CheckConstraint(condition=models.Q(('size_bytes__gte', 1)), name='upload_has_a_size'), models.CheckConstraint(condition=models.Q(models.Q(('base', None), ('part', '')), models.Q(('base__isnull', False), models.Q(('part', ''), _negated=True)), _connector='OR'), name='upload_of_a_part_names_its_base'), models.CheckConstraint(condition=models.Q(('scale', 1.0), ('part', 'lora'), _connector='OR'), name='upload_scale_is_of_a_lora')],
            },
        ),
    ]
