"""No slot beyond the criterion's k can be stored: the part of "exactly k" a CHECK cannot say."""

from django.db import migrations

CREATE = """
CREATE FUNCTION assignment_check_slot_within_k() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed integer;
BEGIN
    SELECT criterion.k INTO allowed
    FROM campaigns_comparison comparison
    JOIN campaigns_criterion criterion ON criterion.id = comparison.criterion_id
    WHERE comparison.id = NEW.comparison_id;
    IF NEW.slot > allowed THEN
        RAISE EXCEPTION 'slot % exceeds the % annotators of this criterion', NEW.slot, allowed
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_slot_within_k';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER assignment_slot_within_k
    BEFORE INSERT OR UPDATE OF slot, comparison_id ON annotation_assignment
    FOR EACH ROW EXECUTE FUNCTION assignment_check_slot_within_k();
"""
DROP = """
DROP TRIGGER assignment_slot_within_k ON annotation_assignment;
DROP FUNCTION assignment_check_slot_within_k();
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_initial"), ("campaigns", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, DROP)]
