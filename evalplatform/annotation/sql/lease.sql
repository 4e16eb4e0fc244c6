-- Leasing as functions of the database: one statement to call, and their plans stay prepared.
-- As plain SQL the same search costs ten times its execution in planning, at every request.

-- Has this annotator met this comparison: do they hold it, have they judged it or left it for good?
CREATE OR REPLACE FUNCTION annotation_has_met(p_annotator bigint, p_comparison bigint)
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
CREATE OR REPLACE FUNCTION annotation_may_judge(p_annotator bigint, p_comparison bigint, p_same_pair text)
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

-- What a lease leaves behind: the assignment, or null, and where the enrolment stands after it.
--   turn: how far they are in the plan of their turns (annotation/turns.py).
--   taken_here, gold_here: comparisons and gold pairs taken of the criterion they are at.

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
CREATE OR REPLACE FUNCTION annotation_lease(
    p_enrolment bigint, p_turn integer, p_same_pair text, p_now timestamptz, p_expires timestamptz
) RETURNS TABLE (
    assignment_id bigint, new_turn integer, new_served integer, new_cursor integer,
    new_criterion_id bigint, new_taken_here integer, new_gold_here integer
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
    SET turn = p_turn + 1,
        served = mine.served + 1,
        cursor = greatest(mine.cursor, found_order),
        criterion_id = CASE
            WHEN found_order > mine.cursor THEN found_criterion ELSE mine.criterion_id
        END,
        taken_here = CASE
            WHEN found_criterion = mine.criterion_id THEN mine.taken_here + 1
            WHEN found_order > mine.cursor THEN 1
            ELSE mine.taken_here
        END,
        gold_here = CASE
            WHEN found_order > mine.cursor AND found_criterion IS DISTINCT FROM mine.criterion_id
            THEN 0 ELSE mine.gold_here
        END
    WHERE mine.id = p_enrolment
    RETURNING found_id, mine.turn, mine.served, mine.cursor, mine.criterion_id, mine.taken_here,
        mine.gold_here;
END
$$;

-- Give this annotator a check in place of a pair: one they judged before with its sides swapped
-- (`p_kind` repeat), else a gold pair that they have not seen. It is on the criterion of the
-- comparison that would have come, and the cursor moves up to that comparison as it would have, so
-- that no count on the page tells this turn from another. Nothing is given where no comparison
-- is left to come, before `p_first_repeat` comparisons of the criterion for a repeat, and where the
-- gold pairs are used up.
-- A repeat is one of 60 answers before the last `p_gap` comparisons taken, with a second copy.
CREATE OR REPLACE FUNCTION annotation_lease_check(
    p_enrolment bigint, p_turn integer, p_same_pair text, p_now timestamptz, p_expires timestamptz,
    p_kind text, p_gap integer, p_first_repeat integer
) RETURNS TABLE (
    assignment_id bigint, new_turn integer, new_served integer, new_cursor integer,
    new_criterion_id bigint, new_taken_here integer, new_gold_here integer
) LANGUAGE plpgsql AS $$
DECLARE
    mine annotation_enrolment%ROWTYPE;
    next_order integer;
    next_criterion bigint;
    pending integer;
    found_comparison bigint;
    found_gold bigint;
    on_left boolean;
    found_id bigint;
BEGIN
    SELECT * INTO mine FROM annotation_enrolment WHERE id = p_enrolment FOR UPDATE;

    SELECT slot.serve_order, comparison.criterion_id INTO next_order, next_criterion
    FROM annotation_assignment slot
    JOIN campaigns_comparison comparison ON comparison.id = slot.comparison_id
    WHERE slot.campaign_id = mine.campaign_id AND slot.annotator_id IS NULL
      AND slot.serve_order > mine.cursor
      AND annotation_may_judge(mine.annotator_id, slot.comparison_id, p_same_pair)
    ORDER BY slot.serve_order, slot.slot LIMIT 1;

    IF next_order IS NULL THEN
        SELECT campaign.comparison_count - 1 INTO mine.cursor
        FROM campaigns_campaign campaign WHERE campaign.id = mine.campaign_id;
    ELSE
        mine.cursor := next_order - 1;
        IF next_criterion IS DISTINCT FROM mine.criterion_id THEN
            mine.criterion_id := next_criterion;
            mine.taken_here := 0;
            mine.gold_here := 0;
        END IF;
        IF p_kind = 'repeat' AND mine.taken_here >= p_first_repeat THEN
            SELECT count(*) INTO pending FROM annotation_assignment held
            WHERE held.annotator_id = mine.annotator_id AND held.campaign_id = mine.campaign_id
              AND held.completed_at IS NULL AND held.purpose = 'main';
            SELECT first.comparison_id, NOT first.a_on_left INTO found_comparison, on_left
            FROM (
                SELECT judged.comparison_id, judged.a_on_left, comparison.repeat_image_a
                FROM annotation_assignment judged
                JOIN campaigns_comparison comparison ON comparison.id = judged.comparison_id
                WHERE judged.annotator_id = mine.annotator_id
                  AND judged.campaign_id = mine.campaign_id
                  AND judged.completed_at IS NOT NULL AND judged.purpose = 'main'
                  AND comparison.criterion_id = next_criterion
                ORDER BY judged.completed_at DESC OFFSET greatest(p_gap - pending, 0) LIMIT 60
            ) first
            WHERE first.repeat_image_a <> '' AND NOT EXISTS (
                SELECT 1 FROM annotation_assignment again
                WHERE again.comparison_id = first.comparison_id
                  AND again.annotator_id = mine.annotator_id AND again.purpose = 'repeat'
            )
            ORDER BY md5(concat_ws(':', mine.check_seed, p_turn, first.comparison_id)) LIMIT 1;
        END IF;
        IF found_comparison IS NULL THEN
            SELECT pair.id, get_bit(decode(md5(concat_ws(':', mine.check_seed, pair.id)), 'hex'), 0) = 1
            INTO found_gold, on_left
            FROM campaigns_goldpair pair
            WHERE pair.criterion_id = next_criterion AND pair.purpose = 'check' AND NOT EXISTS (
                SELECT 1 FROM annotation_assignment seen
                WHERE seen.gold_id = pair.id AND seen.annotator_id = mine.annotator_id
            )
            ORDER BY md5(concat_ws(':', mine.check_seed, p_turn, pair.id)) LIMIT 1;
        END IF;
    END IF;

    IF found_comparison IS NOT NULL OR found_gold IS NOT NULL THEN
        INSERT INTO annotation_assignment (
            public_id, campaign_id, purpose, comparison_id, gold_id, a_on_left, serve_order,
            annotator_id, leased_at, lease_expires_at
        ) VALUES (
            gen_random_uuid(), mine.campaign_id,
            CASE WHEN found_gold IS NULL THEN 'repeat' ELSE 'gold' END,
            found_comparison, found_gold, on_left, next_order, mine.annotator_id, p_now, p_expires
        ) RETURNING id INTO found_id;
        mine.turn := p_turn + 1;
        mine.gold_here := mine.gold_here + (found_gold IS NOT NULL)::int;
    END IF;
    RETURN QUERY
    UPDATE annotation_enrolment stored
    SET turn = mine.turn, cursor = mine.cursor, criterion_id = mine.criterion_id,
        taken_here = mine.taken_here, gold_here = mine.gold_here
    WHERE stored.id = p_enrolment
    RETURNING found_id, stored.turn, stored.served, stored.cursor, stored.criterion_id,
        stored.taken_here, stored.gold_here;
END
$$;
