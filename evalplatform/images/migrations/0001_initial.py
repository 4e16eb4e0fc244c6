import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('accounts', '__first__'),
        ('promptsets', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ImageCollection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_shared', models.BooleanField(default=False, help_text='Whether every project may read and use it.')),
                ('name', models.SlugField(max_length=80, unique=True)),
                ('model', models.CharField(help_text='What made them, as reports name it.', max_length=200)),
                ('licence', models.CharField(blank=True, max_length=200)),
                ('source', models.CharField(blank=True, help_text='Where they come from.', max_length=500)),
                ('status', models.CharField(choices=[('ready', 'Ready'), ('retired', 'Retired')], default='ready', max_length=8)),
                ('sha256', models.CharField(help_text='Of prompts and pixels in order: equal where collections are.', max_length=64)),
                ('image_count', models.PositiveIntegerField()),
                ('left_out', models.JSONField(blank=True, default=dict, help_text='Given rows that were left out, counted by reason.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(blank=True, help_text='Nobody: by command.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
                ('prompt_set', models.ForeignKey(blank=True, help_text='Null: a pool of photos.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='collections', to='promptsets.promptset')),
                ('retired_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='collection_sha256_hex'), models.CheckConstraint(condition=models.Q(('model', ''), _negated=True), name='collection_names_its_model'), models.CheckConstraint(condition=models.Q(('image_count__gte', 1)), name='collection_not_empty'), models.CheckConstraint(condition=models.Q(models.Q(('retired_at__isnull', False), ('status', 'retired')), models.Q(('retired_at', None), ('retired_by', None), ('status', 'ready')), _connector='OR'), name='collection_retired_says_when')],
            },
        ),
        migrations.CreateModel(
            name='CollectedImage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(help_text='Place in the collection, from 0.')),
                ('index', models.PositiveIntegerField(blank=True, help_text='Place among the images of its prompt, from 0, by seed.', null=True)),
                ('seed', models.PositiveBigIntegerField(blank=True, help_text='As its maker says.', null=True)),
                ('caption', models.TextField(blank=True)),
                ('image', models.CharField(help_text='Name in object storage.', max_length=200)),
                ('image_sha256', models.CharField(max_length=64)),
                ('source_sha256', models.CharField(help_text='Of the file that was given.', max_length=64)),
                ('pixels_sha256', models.CharField(help_text='Of size and RGB values: equal where images are.', max_length=64)),
                ('is_constant', models.BooleanField(help_text='Whether it is of one colour.')),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('metadata', models.JSONField(blank=True, default=dict, help_text='What else its row said.')),
                ('prompt', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='collected_images', to='promptsets.prompt')),
                ('collection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='images', to='images.imagecollection')),
            ],
            options={
                'ordering': ['collection', 'position'],
                'constraints': [models.UniqueConstraint(fields=('collection', 'position'), name='collected_unique_position'), models.UniqueConstraint(fields=('collection', 'prompt', 'index'), name='collected_unique_index'), models.UniqueConstraint(fields=('collection', 'prompt', 'seed'), name='collected_unique_seed'), models.UniqueConstraint(fields=('collection', 'prompt', 'source_sha256'), name='collected_once_a_prompt', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('index', None), ('prompt', None)), models.Q(('index__isnull', False), ('prompt__isnull', False)), _connector='OR'), name='collected_index_with_a_prompt'), models.CheckConstraint(condition=models.Q(models.Q(('image', ''), _negated=True), ('height__gte', 1), ('width__gte', 1)), name='collected_has_an_image'), models.CheckConstraint(condition=models.Q(('image_sha256__regex', '^[0-9a-f]{64}$'), ('pixels_sha256__regex', '^[0-9a-f]{64}$'), ('source_sha256__regex', '^[0-9a-f]{64}$')), name='collected_hashes_are_hex')],
            },
        ),
    ]
