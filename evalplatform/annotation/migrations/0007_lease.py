"""Leasing as a function of the database: one statement to call, and its plans stay prepared.

As plain SQL the same search costs ten times its execution in planning, at every request.
"""

from django.db import migrations

CREATE = """
-- Has this annotator met this comparison: do they hold it, have they judged it or left it for good?
CREATE FUNCTION annotation_has_met(p_annotator bigint, p_comparison bigint)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1 FROM annotation_assignment mine
        WHERE mine.comparison_id = p_comparison AND mine.annotator_id = p_annotator
    ) OR EXISTS (
        SELECT 1 FROM annotation_release mine
        WHERE mine.comparison_id = p_comparison AND mine.annotator_id = p_annotator
    );
END
$$;

-- May this annotator be given this comparison? Not one they met; and under the rule, not the same
-- two images that they met under another (a later) criterion. The loop keeps every look-up to one
-- index entry, however much the annotator has judged.
CREATE FUNCTION annotation_may_judge(p_annotator bigint, p_comparison bigint, p_same_pair text)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    other bigint;
BEGIN
    IF annotation_has_met(p_annotator, p_comparison) THEN
        RETURN false;
    END IF;
    IF p_same_pair = 'unrestricted' THEN
        RETURN true;
    END IF;
    FOR other IN
        SELECT there.id FROM campaigns_comparison here
        JOIN campaigns_criterion asked ON asked.id = here.criterion_id
        JOIN campaigns_comparison there
            ON there.sample_a_id = here.sample_a_id AND there.sample_b_id = here.sample_b_id
            AND there.campaign_id = here.campaign_id
        JOIN campaigns_criterion met ON met.id = there.criterion_id
        WHERE here.id = p_comparison AND met.id <> asked.id
          AND (p_same_pair = 'one_criterion' OR met.position > asked.position)
    LOOP
        IF annotation_has_met(p_annotator, other) THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
END
$$;

-- Find a slot for this annotator and take it, in the first of five places that has one:
--   1. what came back (skipped, given back, vote excluded) behind their cursor;
--   2. a lease of somebody else that ran out, behind the cursor;
--   3. the first free slot beyond the cursor;
--   4. a lease that ran out, anywhere;
--   5. one of the campaign's first 500 free slots.
-- Everybody walks the comparisons in the same order, so what is found first is nearest to
-- completion. A slot that this annotator passed over was taken at that time, so behind the cursor
-- only 1 and 2 can be free, and none of it is read again. The exception is a slot whose taker was
-- killed between taking it and the commit: 5 finds it, at a bounded cost, once the rest is gone.
-- Locked rows are being taken by somebody else and are skipped: annotators never wait for one
-- another. The unique constraints stand behind all this.
-- The enrolment moves on with it: its cursor, the criterion it is at, the pairs served.
CREATE FUNCTION annotation_lease(
    p_enrolment bigint, p_same_pair text, p_now timestamptz, p_expires timestamptz
) RETURNS TABLE (
    assignment_id bigint, new_cursor integer, new_criterion_id bigint, new_served integer
) LANGUAGE plpgsql AS $$
DECLARE
    my_campaign bigint;
    my_annotator bigint;
    my_cursor integer;
    found_id bigint;
    found_order integer;
    found_criterion bigint;
BEGIN
    SELECT mine.campaign_id, mine.annotator_id, mine.cursor
    INTO my_campaign, my_annotator, my_cursor
    FROM annotation_enrolment mine WHERE mine.id = p_enrolment FOR UPDATE;

    SELECT slot.id INTO found_id FROM annotation_assignment slot
    WHERE slot.campaign_id = my_campaign AND slot.annotator_id IS NULL
      AND slot.released_at IS NOT NULL AND slot.serve_order <= my_cursor
      AND annotation_may_judge(my_annotator, slot.comparison_id, p_same_pair)
    ORDER BY slot.serve_order, slot.slot LIMIT 1 FOR UPDATE SKIP LOCKED;

    IF found_id IS NULL THEN
        SELECT slot.id INTO found_id FROM annotation_assignment slot
        WHERE slot.campaign_id = my_campaign AND slot.annotator_id IS NOT NULL
          AND slot.completed_at IS NULL AND slot.purpose = 'main'
          AND slot.lease_expires_at < p_now AND slot.serve_order <= my_cursor
          AND annotation_may_judge(my_annotator, slot.comparison_id, p_same_pair)
        ORDER BY slot.lease_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;

    IF found_id IS NULL THEN
        SELECT slot.id INTO found_id FROM annotation_assignment slot
        WHERE slot.campaign_id = my_campaign AND slot.annotator_id IS NULL
          AND slot.serve_order > my_cursor
          AND annotation_may_judge(my_annotator, slot.comparison_id, p_same_pair)
        ORDER BY slot.serve_order, slot.slot LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;

    IF found_id IS NULL THEN
        SELECT slot.id INTO found_id FROM annotation_assignment slot
        WHERE slot.campaign_id = my_campaign AND slot.annotator_id IS NOT NULL
          AND slot.completed_at IS NULL AND slot.purpose = 'main'
          AND slot.lease_expires_at < p_now
          AND annotation_may_judge(my_annotator, slot.comparison_id, p_same_pair)
        ORDER BY slot.lease_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;

    IF found_id IS NULL THEN
        SELECT slot.id INTO found_id FROM annotation_assignment slot
        WHERE slot.annotator_id IS NULL AND slot.id = ANY (ARRAY(
            SELECT first.id FROM annotation_assignment first
            WHERE first.campaign_id = my_campaign AND first.annotator_id IS NULL
            ORDER BY first.serve_order, first.slot LIMIT 500
        )) AND annotation_may_judge(my_annotator, slot.comparison_id, p_same_pair)
        ORDER BY slot.serve_order, slot.slot LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;

    IF found_id IS NULL THEN
        RETURN;
    END IF;
    UPDATE annotation_assignment slot
    SET annotator_id = my_annotator, leased_at = p_now, lease_expires_at = p_expires
    WHERE slot.id = found_id
    RETURNING slot.serve_order, (
        SELECT comparison.criterion_id FROM campaigns_comparison comparison
        WHERE comparison.id = slot.comparison_id
    ) INTO found_order, found_criterion;
    RETURN QUERY
    UPDATE annotation_enrolment mine
    SET served = mine.served + 1,
        cursor = greatest(mine.cursor, found_order),
        criterion_id = CASE
            WHEN found_order > mine.cursor THEN found_criterion ELSE mine.criterion_id
        END
    WHERE mine.id = p_enrolment
    RETURNING found_id, mine.cursor, mine.criterion_id, mine.served;
END
$$;
"""
DROP = """
DROP FUNCTION annotation_lease(bigint, text, timestamptz, timestamptz);
DROP FUNCTION annotation_may_judge(bigint, bigint, text);
DROP FUNCTION annotation_has_met(bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0006_crowd_visit")]

    operations = [migrations.RunSQL(CREATE, DROP)]
