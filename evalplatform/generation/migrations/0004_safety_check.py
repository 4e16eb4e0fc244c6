"""What a safety detector said of a sample; once stored, it keeps saying so."""

import django.db.models.deletion
from django.db import migrations, models


CREATE = """
CREATE FUNCTION safety_check_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a stored safety check is never changed or deleted'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'safety_check_immutable';
END
$$;
CREATE TRIGGER safety_check_immutable BEFORE UPDATE OR DELETE ON generation_safetycheck
    FOR EACH ROW EXECUTE FUNCTION safety_check_refuse_change();
"""
DROP = """
DROP TRIGGER safety_check_immutable ON generation_safetycheck;
DROP FUNCTION safety_check_refuse_change();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('generation', '0003_batches_of_requests'),
    ]

    operations = [
        migrations.CreateModel(
            name='SafetyDetector',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40)),
                ('version', models.CharField(max_length=80)),
                ('weights_sha256', models.CharField(max_length=64)),
                ('unsafe_labels', models.JSONField(help_text='Labels that make an image unsafe, a list.')),
                ('seen_at', models.DateTimeField(help_text='When a worker last used it.')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('name', 'version', 'weights_sha256', 'unsafe_labels'), name='safety_detector_unique'), models.CheckConstraint(condition=models.Q(('weights_sha256__regex', '^[0-9a-f]{64}$')), name='safety_detector_has_weights')],
            },
        ),
        migrations.CreateModel(
            name='SafetyCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('score', models.FloatField(help_text='0 to 1: how surely the image is unsafe.')),
                ('labels', models.JSONField(help_text='Score by label, of every label worth keeping.')),
                ('checked_at', models.DateTimeField()),
                ('sample', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='safety_checks', to='generation.sample')),
                ('detector', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='checks', to='generation.safetydetector')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('sample', 'detector'), name='safety_check_unique'), models.CheckConstraint(condition=models.Q(('score__gte', 0), ('score__lte', 1)), name='safety_check_score_is_share')],
            },
        ),
        migrations.CreateModel(
            name='SafetyRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('detector', models.CharField(help_text="The detector's name.", max_length=40)),
                ('sent_at', models.DateTimeField(blank=True, help_text='When workers were woken.', null=True)),
                ('error', models.TextField(blank=True, help_text='Why it could not be checked.')),
                ('sample', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='generation.sample')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('error', '')), fields=['detector', 'id'], name='safety_request_to_do')],
                'constraints': [models.UniqueConstraint(fields=('detector', 'sample'), name='safety_request_unique')],
            },
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
