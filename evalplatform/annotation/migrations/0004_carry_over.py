"""Fill the new columns of campaigns that were opened before this version."""

from django.db import migrations

FORWARDS = """
UPDATE campaigns_comparison comparison SET image_a = a.image, image_b = b.image
FROM generation_sample a, generation_sample b
WHERE a.id = comparison.sample_a_id AND b.id = comparison.sample_b_id;

UPDATE campaigns_campaign campaign SET comparison_count = (
    SELECT count(*) FROM campaigns_comparison WHERE campaign_id = campaign.id
);

UPDATE annotation_assignment slot SET serve_order = comparison.position
FROM campaigns_comparison comparison WHERE comparison.id = slot.comparison_id;

-- Nobody has a cursor yet: what was passed over before must look like it came back.
UPDATE annotation_assignment SET released_at = now() WHERE annotator_id IS NULL AND EXISTS (
    SELECT 1 FROM annotation_assignment other
    WHERE other.comparison_id = annotation_assignment.comparison_id
      AND other.annotator_id IS NOT NULL
);

UPDATE annotation_enrolment enrolment SET (judged, served, cursor) = (
    SELECT count(*) FILTER (WHERE completed_at IS NOT NULL), count(*), coalesce(max(serve_order), -1)
    FROM annotation_assignment
    WHERE annotator_id = enrolment.annotator_id AND campaign_id = enrolment.campaign_id
);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0003_checks_releases_exclusions"),
        ("campaigns", "0002_rules_and_gold_pairs"),
    ]

    operations = [migrations.RunSQL(FORWARDS, migrations.RunSQL.noop)]
