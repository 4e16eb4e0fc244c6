import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_uses'),
        ('images', '0005_uses'),
        ('promptsets', '0004_frozen'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ImageImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(help_text='Of the collection to be.', max_length=80)),
                ('model', models.CharField(max_length=200)),
                ('licence', models.CharField(blank=True, max_length=200)),
                ('source', models.CharField(blank=True, max_length=500)),
                ('columns', models.JSONField(default=dict, help_text="Columns by our fields' names.")),
                ('skip_bad', models.BooleanField(default=False)),
                ('sent', models.CharField(help_text='What was sent, in words.', max_length=200)),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('state', models.CharField(choices=[('queued', 'Waiting'), ('running', 'Being imported'), ('done', 'Imported'), ('failed', 'Failed')], default='queued', max_length=8)),
                ('done', models.PositiveBigIntegerField(default=0, help_text='Images that are stored.')),
                ('total', models.PositiveBigIntegerField(default=0, help_text='0: not counted yet.')),
                ('beaten_at', models.DateTimeField(help_text='When a worker last told of it.')),
                ('error', models.TextField(blank=True)),
                ('faults', models.JSONField(default=list, help_text='Lines for a person.')),
                ('missing', models.PositiveBigIntegerField(default=0, help_text='Prompts without an image.')),
                ('created_at', models.DateTimeField()),
                ('collection', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='images.imagecollection')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
                ('prompt_set', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='promptsets.promptset')),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('state', 'failed'), _negated=True), models.Q(('error', ''), _negated=True), _connector='OR'), name='image_import_failed_says_why')],
            },
        ),
    ]
