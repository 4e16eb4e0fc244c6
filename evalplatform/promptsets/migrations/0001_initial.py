import django.contrib.postgres.fields
import django.db.models.deletion
import evalplatform.promptsets.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='PromptSet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_shared', models.BooleanField(default=False, help_text='Whether every project may read and use it.')),
                ('name', models.SlugField(max_length=80)),
                ('version', models.PositiveIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('source', models.CharField(max_length=500)),
                ('licence', models.CharField(blank=True, max_length=200)),
                ('recipe', models.JSONField(blank=True, help_text='How it was built from a log or made from another version; null: of a file.', null=True)),
                ('imported_at', models.DateTimeField(auto_now_add=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'ordering': ['name', 'version'],
                'constraints': [models.UniqueConstraint(fields=('name', 'version'), name='promptset_unique_version'), models.UniqueConstraint(fields=('name', 'sha256'), name='promptset_unique_content'), models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='promptset_sha256_is_hex')],
            },
        ),
        migrations.CreateModel(
            name='Prompt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(help_text="Place among the file's prompts, from 0.")),
                ('text', models.TextField()),
                ('category', models.CharField(blank=True, max_length=200)),
                ('challenge', models.CharField(blank=True, max_length=200)),
                ('note', models.TextField(blank=True)),
                ('tags', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, default=list, size=None)),
                ('prompt_set', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prompts', to='promptsets.promptset')),
            ],
            options={
                'ordering': ['prompt_set', 'position'],
                'constraints': [models.UniqueConstraint(models.F('prompt_set'), evalplatform.promptsets.models.TextHash('text'), name='prompt_unique_text'), models.UniqueConstraint(fields=('prompt_set', 'position'), name='prompt_unique_position'), models.CheckConstraint(condition=models.Q(('text', ''), _negated=True), name='prompt_text_not_empty')],
            },
        ),
        migrations.CreateModel(
            name='PromptUpload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file_name', models.CharField(max_length=200)),
                ('content', models.BinaryField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='LogBuild',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file_name', models.CharField(max_length=200)),
                ('log', models.CharField(blank=True, help_text='Name in object storage.', max_length=300)),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('columns', models.JSONField(default=list, help_text='Names; none of plain text.')),
                ('first_rows', models.JSONField(default=list)),
                ('choices', models.JSONField(default=dict, help_text='See services.log_choices.LogChoices.')),
                ('state', models.CharField(choices=[('draft', 'Not begun'), ('queued', 'Waiting'), ('running', 'Being built'), ('ready', 'Built'), ('kept', 'Kept'), ('failed', 'Failed')], default='draft', max_length=10)),
                ('doing', models.CharField(blank=True, help_text='Which stage it is at.', max_length=80)),
                ('share', models.FloatField(default=0, help_text='Of this stage, in [0, 1].')),
                ('beaten_at', models.DateTimeField(blank=True, null=True)),
                ('recipe', models.JSONField(blank=True, help_text='As the set records it.', null=True)),
                ('examples', models.JSONField(default=dict, help_text='Some dropped lines, by reason.')),
                ('prompts', models.CharField(blank=True, help_text='Name in object storage.', max_length=300)),
                ('dropped', models.CharField(blank=True, help_text='Name in object storage.', max_length=300)),
                ('dropped_bytes', models.PositiveBigIntegerField(default=0)),
                ('dropped_sha256', models.CharField(blank=True, max_length=64)),
                ('error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
                ('prompt_set', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='promptsets.promptset')),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('state', 'failed'), _negated=True), models.Q(('error', ''), _negated=True), _connector='OR'), name='log_build_failed_says_why'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'ready'), _negated=True), models.Q(models.Q(('prompts', ''), _negated=True), ('recipe__isnull', False)), _connector='OR'), name='log_build_built_has_prompts')],
            },
        ),
    ]
