"""Pairs the safety filter keeps from annotators: never compared, never changed."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


CREATE = """
CREATE FUNCTION comparison_refuse_filtered() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_both boolean;
BEGIN
    -- One statement each, so that each is planned from the side that grows.
    IF TG_TABLE_NAME = 'campaigns_comparison' THEN
        SELECT EXISTS (
            SELECT 1 FROM added JOIN campaigns_filteredpair USING (campaign_id, prompt_id)
        ) INTO is_both;
    ELSE
        SELECT EXISTS (
            SELECT 1 FROM added JOIN campaigns_comparison USING (campaign_id, prompt_id)
        ) INTO is_both;
    END IF;
    IF is_both THEN
        RAISE EXCEPTION 'a prompt that the safety filter took out cannot be compared'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'comparison_not_filtered';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER comparison_not_filtered AFTER INSERT ON campaigns_comparison
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION comparison_refuse_filtered();
CREATE TRIGGER filtered_pair_not_compared AFTER INSERT ON campaigns_filteredpair
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION comparison_refuse_filtered();

CREATE FUNCTION filtered_pair_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a filtered pair is never changed'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'filtered_pair_immutable';
END
$$;
CREATE TRIGGER filtered_pair_immutable BEFORE UPDATE ON campaigns_filteredpair
    FOR EACH ROW EXECUTE FUNCTION filtered_pair_refuse_change();
"""
DROP = """
DROP TRIGGER filtered_pair_immutable ON campaigns_filteredpair;
DROP FUNCTION filtered_pair_refuse_change();
DROP TRIGGER filtered_pair_not_compared ON campaigns_filteredpair;
DROP TRIGGER comparison_not_filtered ON campaigns_comparison;
DROP FUNCTION comparison_refuse_filtered();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0002_rules_and_gold_pairs'),
        ('checkpoints', '0003_upload'),
        ('generation', '0004_safety_check'),
        ('promptsets', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='FilteredPair',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('score_a', models.FloatField(help_text='0 to 1.')),
                ('score_b', models.FloatField(help_text='0 to 1.')),
                ('threshold', models.FloatField(help_text='From this score on an image is unsafe.')),
            ],
            options={
                'ordering': ['campaign', 'pk'],
            },
        ),
        migrations.AddField(
            model_name='campaign',
            name='safety_detector',
            field=models.ForeignKey(blank=True, help_text='Whose scores decided which pairs were filtered; set at opening.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='generation.safetydetector'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'generating']), ('rules__safety__threshold__isnull', True), ('safety_detector__isnull', False), _connector='OR'), name='campaign_open_is_filtered', violation_error_message='Its rules ask for a safety filter that was not applied.'),
        ),
        migrations.AddField(
            model_name='filteredpair',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='filtered_pairs', to='campaigns.campaign'),
        ),
        migrations.AddField(
            model_name='filteredpair',
            name='detector',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='generation.safetydetector'),
        ),
        migrations.AddField(
            model_name='filteredpair',
            name='prompt',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='promptsets.prompt'),
        ),
        migrations.AddField(
            model_name='filteredpair',
            name='sample_a',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='generation.sample'),
        ),
        migrations.AddField(
            model_name='filteredpair',
            name='sample_b',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='generation.sample'),
        ),
        migrations.AddConstraint(
            model_name='filteredpair',
            constraint=models.UniqueConstraint(fields=('campaign', 'prompt'), name='filtered_pair_unique'),
        ),
        migrations.AddConstraint(
            model_name='filteredpair',
            constraint=models.CheckConstraint(condition=models.Q(('sample_a', models.F('sample_b')), _negated=True), name='filtered_pair_two_samples'),
        ),
        migrations.AddConstraint(
            model_name='filteredpair',
            constraint=models.CheckConstraint(condition=models.Q(('score_a__range', (0, 1)), ('score_b__range', (0, 1)), ('threshold__gt', 0), ('threshold__lte', 1)), name='filtered_pair_shares'),
        ),
        migrations.AddConstraint(
            model_name='filteredpair',
            constraint=models.CheckConstraint(condition=models.Q(('score_a__gte', models.F('threshold')), ('score_b__gte', models.F('threshold')), _connector='OR'), name='filtered_pair_has_a_reason'),
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
