-- Leasing as functions of the database: one statement to call, and their plans stay prepared.
-- As plain SQL the same search costs ten times its execution in planning, at every request.

-- Has this annotator met this item: do they hold it, have they judged it or left it for good?
CREATE OR REPLACE FUNCTION annotation_has_met(p_annotator bigint, p_item bigint)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1 FROM annotation_assignment mine
        WHERE mine.item_id = p_item AND mine.annotator_id = p_annotator
    ) OR EXISTS (
        SELECT 1 FROM annotation_release mine
        WHERE mine.item_id = p_item AND mine.annotator_id = p_annotator
    );
END
$$;

-- The latest criterion, by its place, of which this annotator can have met an item: the one they are
-- at, and those of the stretches that lie behind their cursor. -1 where they met nothing yet.
CREATE OR REPLACE FUNCTION annotation_furthest(
    p_criterion bigint, p_cursor integer, p_outline jsonb
) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT max(met.position) FROM campaigns_criterion met
        WHERE met.id = p_criterion OR met.id IN (
            SELECT (each ->> 0)::bigint FROM jsonb_array_elements(p_outline) each
            WHERE (each ->> 1)::integer - 1 <= p_cursor
        )
    ), -1);
END
$$;

-- May this annotator be given this item? Not one they met. Under the rule, not the same set of
-- images that they met under another (a later) criterion; nor any set of a prompt that a later
-- criterion has shown them, where this one hides it: sets of an arm that joins come after all others,
-- of prompts that were read long ago. The loop keeps every look-up to one index entry, however much
-- the annotator has judged.
-- p_furthest: of annotation_furthest; what lies beyond it needs no look.
CREATE OR REPLACE FUNCTION annotation_may_judge(
    p_annotator bigint, p_item bigint, p_same_pair text, p_furthest integer
) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    asked record;
    other bigint;
BEGIN
    IF annotation_has_met(p_annotator, p_item) THEN
        RETURN false;
    END IF;
    IF p_same_pair = 'unrestricted' THEN
        RETURN true;
    END IF;
    SELECT item.campaign_id, item.image_set_id, item.criterion_id, images.prompt_id,
        criterion.position, criterion.shows_prompt INTO asked
    FROM campaigns_item item
    JOIN campaigns_criterion criterion ON criterion.id = item.criterion_id
    JOIN campaigns_imageset images ON images.id = item.image_set_id
    WHERE item.id = p_item;
    IF p_same_pair = 'one_criterion' THEN
        FOR other IN
            SELECT there.id FROM campaigns_item there
            WHERE there.image_set_id = asked.image_set_id
              AND there.criterion_id <> asked.criterion_id
        LOOP
            IF annotation_has_met(p_annotator, other) THEN
                RETURN false;
            END IF;
        END LOOP;
    END IF;
    IF asked.position >= p_furthest THEN
        RETURN true;
    END IF;
    FOR other IN
        SELECT there.id FROM campaigns_imageset images
        JOIN campaigns_item there ON there.image_set_id = images.id
        JOIN campaigns_criterion met ON met.id = there.criterion_id
        WHERE images.prompt_id = asked.prompt_id AND images.campaign_id = asked.campaign_id
          AND met.position > asked.position
          AND (images.id = asked.image_set_id OR (met.shows_prompt AND NOT asked.shows_prompt))
    LOOP
        IF annotation_has_met(p_annotator, other) THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
END
$$;

-- Where an item comes in somebody's walk. In each criterion's stretch of the campaign's order it
-- begins at a place of its own (`p_rotation`, a share of the stretch, 0 to 1) and goes round and
-- round, by a stride of its own (`p_stride`, a share of the stretch), each time beginning one item
-- later, until every item was met once. So what is judged early is not the same for all, and who
-- judges a part of the campaign shares some items with everybody rather than all with a few.
-- A stride is at least 1 item, and at most 128.
-- p_outline: the campaign's, [criterion, where its stretch ends, hidden gold] each.
CREATE OR REPLACE FUNCTION annotation_step(
    p_position integer, p_outline jsonb, p_rotation float8, p_stride float8
) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    start integer := 0;
    stop integer;
    long integer;
    stride integer;
    turned integer;
    round integer;
BEGIN
    FOR stop IN SELECT (each ->> 1)::integer FROM jsonb_array_elements(p_outline) each LOOP
        IF p_position < stop THEN
            long := stop - start;
            stride := least(128, greatest(1, floor(p_stride * long)::integer));
            turned := (p_position - start - floor(p_rotation * long)::integer + long) % long;
            round := turned % stride;
            RETURN start + round * (long / stride) + least(round, long % stride)
                + turned / stride;
        END IF;
        start := stop;
    END LOOP;
    RETURN p_position;
END
$$;

-- The first free slot of a stretch in somebody's walk beyond a step of it, its row locked; no row
-- where none is. It reads every free slot of the stretch once, those of items met by an anti-join,
-- so it is for stretches of which little may be left for this annotator.
CREATE OR REPLACE FUNCTION annotation_first_of_stretch(
    p_campaign bigint, p_annotator bigint, p_step integer, p_start integer, p_stop integer,
    p_turned integer, p_stride integer, p_same_pair text, p_furthest integer
) RETURNS TABLE (found_id bigint, found_step integer) LANGUAGE plpgsql AS $$
DECLARE
    long integer := p_stop - p_start;
    item bigint;
    barred bigint;  -- the item looked at last, whose other slots need no look
BEGIN
    FOR found_id, found_step, item IN
        SELECT free.id, walk.step, free.item_id
        FROM annotation_assignment free
        CROSS JOIN LATERAL (SELECT (free.serve_order - p_turned + long) % long) AS place(turned)
        CROSS JOIN LATERAL (SELECT place.turned % p_stride) AS walked(round)
        CROSS JOIN LATERAL (
            SELECT p_start + walked.round * (long / p_stride) + least(walked.round, long % p_stride)
                + place.turned / p_stride
        ) AS walk(step)
        WHERE free.campaign_id = p_campaign AND free.annotator_id IS NULL
          AND free.serve_order >= p_start AND free.serve_order < p_stop AND walk.step > p_step
          AND NOT EXISTS (
              SELECT 1 FROM annotation_assignment mine
              WHERE mine.annotator_id = p_annotator AND mine.item_id = free.item_id
          )
          AND NOT EXISTS (
              SELECT 1 FROM annotation_release mine
              WHERE mine.annotator_id = p_annotator AND mine.item_id = free.item_id
          )
        ORDER BY walk.step, free.slot
    LOOP
        CONTINUE WHEN item = barred;
        IF NOT annotation_may_judge(p_annotator, item, p_same_pair, p_furthest) THEN
            barred := item;
            CONTINUE;
        END IF;
        PERFORM 1 FROM annotation_assignment slot
        WHERE slot.id = found_id AND slot.annotator_id IS NULL FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
END
$$;

-- The first free slot of somebody's walk beyond a step of it, its row locked; no row where none is.
-- A round is two runs of positions: from where the annotator begins to the stretch's end, and from
-- its start to there. What is locked is being taken by somebody else and is passed over.
-- Where four rounds had nothing, little is left for this annotator: reading the stretch once is then
-- cheaper than a look at each further round, of which there may be 124.
CREATE OR REPLACE FUNCTION annotation_first_free(
    p_campaign bigint, p_annotator bigint, p_step integer, p_outline jsonb, p_rotation float8,
    p_stride float8, p_same_pair text, p_furthest integer
) RETURNS TABLE (found_id bigint, found_step integer) LANGUAGE plpgsql AS $$
DECLARE
    start integer := 0;
    stop integer;
    long integer;
    stride integer;
    turned integer;  -- position of the first item of the walk
    base integer;  -- what is to be taken from a position for how far it lies behind that
    first_step integer;  -- of the round
    looked integer;  -- at so many rounds of the stretch
    low integer;
    high integer;
BEGIN
    FOR stop IN SELECT (each ->> 1)::integer FROM jsonb_array_elements(p_outline) each LOOP
        long := stop - start;
        looked := 0;
        stride := least(128, greatest(1, floor(p_stride * long)::integer));
        turned := start + floor(p_rotation * long)::integer;
        FOR round IN 0..stride - 1 LOOP
            first_step := start + round * (long / stride) + least(round, long % stride);
            -- The next round begins at most so many steps later.
            CONTINUE WHEN first_step + (long - round + stride - 1) / stride - 1 <= p_step;
            IF looked = 4 THEN
                SELECT first.found_id, first.found_step INTO found_id, found_step
                FROM annotation_first_of_stretch(
                    p_campaign, p_annotator, p_step, start, stop, turned, stride, p_same_pair,
                    p_furthest
                ) first;
                IF found_id IS NOT NULL THEN
                    RETURN NEXT;
                    RETURN;
                END IF;
                EXIT;
            END IF;
            looked := looked + 1;
            FOR run IN 1..2 LOOP
                base := turned - CASE WHEN run = 1 THEN 0 ELSE long END;
                low := base + round + stride * greatest(0, p_step + 1 - first_step);
                low := greatest(low, CASE WHEN run = 1 THEN turned ELSE start END);
                high := CASE WHEN run = 1 THEN stop ELSE turned END;
                CONTINUE WHEN low >= high;
                SELECT slot.id, first_step + (slot.serve_order - base) / stride
                INTO found_id, found_step
                FROM annotation_assignment slot
                WHERE slot.campaign_id = p_campaign AND slot.annotator_id IS NULL
                  AND slot.serve_order >= low AND slot.serve_order < high
                  AND (slot.serve_order - base) % stride = round
                  AND annotation_may_judge(p_annotator, slot.item_id, p_same_pair, p_furthest)
                ORDER BY slot.serve_order, slot.slot LIMIT 1 FOR UPDATE SKIP LOCKED;
                IF found_id IS NOT NULL THEN
                    RETURN NEXT;
                    RETURN;
                END IF;
            END LOOP;
        END LOOP;
        start := stop;
    END LOOP;
END
$$;

-- What a lease leaves behind: the assignment, or null, and where the enrolment stands after it.
--   turn: how far they are in the plan of their turns (annotation/turns.py).
--   cursor: the furthest step of their walk taken so far.
--   taken_here, gold_here: items and gold taken of the criterion they are at.

-- Find a slot for this annotator and take it, in the first of five places that has one:
--   1. what came back (skipped, given back, vote excluded) behind their cursor;
--   2. a lease of somebody else that ran out, behind the cursor;
--   3. the first free slot beyond the cursor;
--   4. a lease that ran out, anywhere;
--   5. one of the campaign's first 500 free slots.
-- A slot that this annotator passed over was taken at that time, so behind the cursor only 1 and 2
-- can be free, and none of it is read again. The exception is a slot whose taker was killed between
-- taking it and the commit: 5 finds it, at a bounded cost, once the rest is gone.
-- Locked rows are being taken by somebody else and are skipped: annotators never wait for one
-- another. The unique constraints stand behind all this.
CREATE OR REPLACE FUNCTION annotation_lease(
    p_enrolment bigint, p_turn integer, p_same_pair text, p_now timestamptz, p_expires timestamptz,
    p_rotation float8, p_stride float8
) RETURNS TABLE (
    assignment_id bigint, new_turn integer, new_served integer, new_cursor integer,
    new_criterion_id bigint, new_taken_here integer, new_gold_here integer
) LANGUAGE plpgsql AS $$
DECLARE
    my_campaign bigint;
    my_annotator bigint;
    my_cursor integer;
    outline jsonb;
    item_count integer;
    furthest integer;
    found_id bigint;
    found_step integer;
    found_criterion bigint;
BEGIN
    SELECT mine.campaign_id, mine.annotator_id, mine.cursor, campaign.outline, campaign.item_count,
        annotation_furthest(mine.criterion_id, mine.cursor, campaign.outline)
    INTO my_campaign, my_annotator, my_cursor, outline, item_count, furthest
    FROM annotation_enrolment mine
    JOIN campaigns_campaign campaign ON campaign.id = mine.campaign_id
    WHERE mine.id = p_enrolment FOR UPDATE OF mine;

    SELECT slot.id INTO found_id FROM annotation_assignment slot
    WHERE slot.campaign_id = my_campaign AND slot.annotator_id IS NULL
      AND slot.released_at IS NOT NULL
      AND annotation_step(slot.serve_order, outline, p_rotation, p_stride) <= my_cursor
      AND annotation_may_judge(my_annotator, slot.item_id, p_same_pair, furthest)
    ORDER BY slot.serve_order, slot.slot LIMIT 1 FOR UPDATE SKIP LOCKED;

    IF found_id IS NULL THEN
        SELECT slot.id INTO found_id FROM annotation_assignment slot
        WHERE slot.campaign_id = my_campaign AND slot.annotator_id IS NOT NULL
          AND slot.completed_at IS NULL AND slot.purpose = 'main'
          AND slot.lease_expires_at < p_now
          AND annotation_step(slot.serve_order, outline, p_rotation, p_stride) <= my_cursor
          AND annotation_may_judge(my_annotator, slot.item_id, p_same_pair, furthest)
        ORDER BY slot.lease_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;

    IF found_id IS NULL THEN
        SELECT free.found_id INTO found_id FROM annotation_first_free(
            my_campaign, my_annotator, my_cursor, outline, p_rotation, p_stride, p_same_pair,
            furthest
        ) free;
    END IF;

    IF found_id IS NULL THEN
        SELECT slot.id INTO found_id FROM annotation_assignment slot
        WHERE slot.campaign_id = my_campaign AND slot.annotator_id IS NOT NULL
          AND slot.completed_at IS NULL AND slot.purpose = 'main'
          AND slot.lease_expires_at < p_now
          AND annotation_may_judge(my_annotator, slot.item_id, p_same_pair, furthest)
        ORDER BY slot.lease_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;

    IF found_id IS NULL THEN
        SELECT slot.id INTO found_id FROM annotation_assignment slot
        WHERE slot.annotator_id IS NULL AND slot.id = ANY (ARRAY(
            SELECT first.id FROM annotation_assignment first
            WHERE first.campaign_id = my_campaign AND first.annotator_id IS NULL
            ORDER BY first.serve_order, first.slot LIMIT 500
        )) AND annotation_may_judge(my_annotator, slot.item_id, p_same_pair, furthest)
        ORDER BY slot.serve_order, slot.slot LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;

    -- All that is left was looked at and is not for them: it is not read again, and the total that
    -- their page shows counts it no more.
    IF found_id IS NULL THEN
        RETURN QUERY
        UPDATE annotation_enrolment mine SET cursor = item_count - 1
        WHERE mine.id = p_enrolment AND mine.cursor < item_count - 1
        RETURNING NULL::bigint, mine.turn, mine.served, mine.cursor, mine.criterion_id,
            mine.taken_here, mine.gold_here;
        RETURN;
    END IF;
    UPDATE annotation_assignment slot
    SET annotator_id = my_annotator, leased_at = p_now, lease_expires_at = p_expires
    WHERE slot.id = found_id
    RETURNING annotation_step(slot.serve_order, outline, p_rotation, p_stride), (
        SELECT item.criterion_id FROM campaigns_item item WHERE item.id = slot.item_id
    ) INTO found_step, found_criterion;
    RETURN QUERY
    UPDATE annotation_enrolment mine
    SET turn = p_turn + 1,
        served = mine.served + 1,
        cursor = greatest(mine.cursor, found_step),
        criterion_id = CASE
            WHEN found_step > mine.cursor THEN found_criterion ELSE mine.criterion_id
        END,
        taken_here = CASE
            WHEN found_criterion = mine.criterion_id THEN mine.taken_here + 1
            WHEN found_step > mine.cursor THEN 1
            ELSE mine.taken_here
        END,
        gold_here = CASE
            WHEN found_step > mine.cursor AND found_criterion IS DISTINCT FROM mine.criterion_id
            THEN 0 ELSE mine.gold_here
        END
    WHERE mine.id = p_enrolment
    RETURNING found_id, mine.turn, mine.served, mine.cursor, mine.criterion_id, mine.taken_here,
        mine.gold_here;
END
$$;

-- Give this annotator a check in place of an item: one they judged before with its images turned
-- round (`p_kind` repeat), else gold that they have not seen. It is on the criterion of the item that
-- would have come, and the cursor moves up to that item as it would have, so that no count on the
-- page tells this turn from another. Nothing is given where no item is left to come, before
-- `p_first_repeat` items of the criterion for a repeat, and where the gold is used up.
-- A repeat is one of 60 answers before the last `p_gap` items taken, with a second copy.
CREATE OR REPLACE FUNCTION annotation_lease_check(
    p_enrolment bigint, p_turn integer, p_same_pair text, p_now timestamptz, p_expires timestamptz,
    p_rotation float8, p_stride float8, p_kind text, p_gap integer, p_first_repeat integer
) RETURNS TABLE (
    assignment_id bigint, new_turn integer, new_served integer, new_cursor integer,
    new_criterion_id bigint, new_taken_here integer, new_gold_here integer
) LANGUAGE plpgsql AS $$
DECLARE
    mine annotation_enrolment%ROWTYPE;
    next_id bigint;
    next_step integer;
    next_order integer;
    next_criterion bigint;
    pending integer;
    found_item bigint;
    shown smallint[];
    is_gold boolean := false;
    found_id bigint;
BEGIN
    SELECT * INTO mine FROM annotation_enrolment WHERE id = p_enrolment FOR UPDATE;

    SELECT free.found_id, free.found_step INTO next_id, next_step
    FROM campaigns_campaign campaign, LATERAL annotation_first_free(
        campaign.id, mine.annotator_id, mine.cursor, campaign.outline, p_rotation, p_stride,
        p_same_pair, annotation_furthest(mine.criterion_id, mine.cursor, campaign.outline)
    ) free
    WHERE campaign.id = mine.campaign_id;
    SELECT slot.serve_order, item.criterion_id INTO next_order, next_criterion
    FROM annotation_assignment slot JOIN campaigns_item item ON item.id = slot.item_id
    WHERE slot.id = next_id;

    IF next_id IS NULL THEN
        SELECT campaign.item_count - 1 INTO mine.cursor
        FROM campaigns_campaign campaign WHERE campaign.id = mine.campaign_id;
    ELSE
        mine.cursor := next_step - 1;
        IF next_criterion IS DISTINCT FROM mine.criterion_id THEN
            mine.criterion_id := next_criterion;
            mine.taken_here := 0;
            mine.gold_here := 0;
        END IF;
        IF p_kind = 'repeat' AND mine.taken_here >= p_first_repeat THEN
            SELECT count(*) INTO pending FROM annotation_assignment held
            WHERE held.annotator_id = mine.annotator_id AND held.campaign_id = mine.campaign_id
              AND held.completed_at IS NULL AND held.purpose = 'main';
            SELECT first.item_id, ARRAY(
                SELECT place FROM unnest(first.order) WITH ORDINALITY AS each(place, at)
                ORDER BY at DESC
            ) INTO found_item, shown
            FROM (
                SELECT judged.item_id, judged."order", item.repeatable
                FROM annotation_assignment judged
                JOIN campaigns_item item ON item.id = judged.item_id
                WHERE judged.annotator_id = mine.annotator_id
                  AND judged.campaign_id = mine.campaign_id
                  AND judged.completed_at IS NOT NULL AND judged.purpose = 'main'
                  AND item.criterion_id = next_criterion
                ORDER BY judged.completed_at DESC OFFSET greatest(p_gap - pending, 0) LIMIT 60
            ) first
            WHERE first.repeatable AND NOT EXISTS (
                SELECT 1 FROM annotation_assignment again
                WHERE again.item_id = first.item_id
                  AND again.annotator_id = mine.annotator_id AND again.purpose = 'repeat'
            )
            ORDER BY md5(concat_ws(':', mine.check_seed, p_turn, first.item_id)) LIMIT 1;
        END IF;
        IF found_item IS NULL THEN
            SELECT item.id, true, ARRAY(
                SELECT place::smallint FROM generate_series(0, cardinality(gold.expected) - 1) place
                ORDER BY md5(concat_ws(':', mine.check_seed, item.id, place))
            ) INTO found_item, is_gold, shown
            FROM campaigns_imageset gold JOIN campaigns_item item ON item.image_set_id = gold.id
            WHERE gold.criterion_id = next_criterion AND gold.purpose = 'check' AND NOT EXISTS (
                SELECT 1 FROM annotation_assignment seen
                WHERE seen.item_id = item.id AND seen.annotator_id = mine.annotator_id
            )
            ORDER BY md5(concat_ws(':', mine.check_seed, p_turn, item.id)) LIMIT 1;
        END IF;
    END IF;

    IF found_item IS NOT NULL THEN
        INSERT INTO annotation_assignment (
            public_id, campaign_id, purpose, item_id, "order", serve_order,
            annotator_id, leased_at, lease_expires_at
        ) VALUES (
            gen_random_uuid(), mine.campaign_id, CASE WHEN is_gold THEN 'gold' ELSE 'repeat' END,
            found_item, shown, next_order, mine.annotator_id, p_now, p_expires
        ) RETURNING id INTO found_id;
        mine.turn := p_turn + 1;
        mine.gold_here := mine.gold_here + is_gold::int;
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
