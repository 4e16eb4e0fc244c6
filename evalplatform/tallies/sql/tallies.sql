-- The counts of tallies/models.py. Each statement that changes what they count adds its difference
-- to them, in its own transaction. A difference is added to a row under that row's lock, so counts
-- are exact whoever else writes meanwhile.
--
-- Order of locks: a voter has their enrolment's row and their slot, then the item's tally, then
-- rows of activity that are theirs alone. Whoever changes many votes takes the tallies in the order
-- of items. Nobody who holds a tally waits for a slot that another voter holds while they wait for
-- a tally.

-- {"a": 2} and {"a": -1, "b": 1} -> {"a": 1, "b": 1}
CREATE OR REPLACE FUNCTION tallies_sum(p_one jsonb, p_other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(said, votes), '{}') FROM (
        SELECT said, sum(n::integer) AS votes FROM (
            SELECT * FROM jsonb_each_text(p_one) UNION ALL SELECT * FROM jsonb_each_text(p_other)
        ) AS every (said, n)
        GROUP BY said HAVING sum(n::integer) <> 0
    ) AS summed
$$;

-- What follows from how often each thing was said.
CREATE OR REPLACE FUNCTION tallies_derive() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    n integer;
    grades smallint[];
    shown integer;
    balance integer;
    same float8 := 0;
BEGIN
    NEW.votes := 0;
    NEW.ties := 0;
    NEW.points := '{}';
    FOR answer, n IN SELECT key, value::integer FROM jsonb_each_text(NEW.said) LOOP
        grades := answer::smallint[];
        shown := cardinality(grades);
        IF NEW.points = '{}' THEN
            NEW.points := array_fill(0, ARRAY[shown]);
        END IF;
        NEW.votes := NEW.votes + n;
        same := same + n * (n - 1);
        IF shown = 1 THEN
            NEW.points[1] := NEW.points[1] + n * grades[1];
        ELSE
            IF grades = array_fill(grades[1], ARRAY[shown]) THEN
                NEW.ties := NEW.ties + n;
            END IF;
            FOR place IN 1..shown LOOP
                balance := 0;
                FOR other IN 1..shown LOOP
                    balance := balance + sign(grades[place] - grades[other])::integer;
                END LOOP;
                NEW.points[place] := NEW.points[place] + n * balance;
            END LOOP;
        END IF;
    END LOOP;
    -- A difference on its way to a row that is there already may be below zero.
    NEW.votes := greatest(NEW.votes, 0);
    NEW.ties := least(greatest(NEW.ties, 0), NEW.votes);
    NEW.disagreement := CASE WHEN NEW.votes > 1
        THEN greatest(0, least(1, 1 - same / (NEW.votes::float8 * (NEW.votes - 1)))) END;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER tallies_derive BEFORE INSERT OR UPDATE ON tallies_itemtally
    FOR EACH ROW EXECUTE FUNCTION tallies_derive();

-- Count what happened to assignments, entry i of each array describing one event: whose it was,
-- the grades it gave, when it was sent, and whether a vote came to count (1), ceased to (-1) or
-- neither (0). Checks are no votes on items: of them it counts only that something happened.
CREATE OR REPLACE FUNCTION tallies_apply(
    p_assignments bigint[], p_annotators bigint[], p_grades text[], p_at timestamptz[],
    p_differences integer[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH event AS MATERIALIZED (
        SELECT asked.campaign_id, asked.item_id, each.annotator, each.grades, each.at,
            date_bin('15 minutes', each.at, 'epoch') AS quarter,
            CASE WHEN asked.purpose = 'main' THEN each.difference ELSE 0 END AS difference
        FROM unnest(p_assignments, p_annotators, p_grades, p_at, p_differences)
            AS each (assignment, annotator, grades, at, difference)
        JOIN annotation_assignment asked ON asked.id = each.assignment
    ), said AS (
        SELECT item_id, campaign_id, grades, sum(difference) AS difference
        FROM event GROUP BY item_id, campaign_id, grades HAVING sum(difference) <> 0
    ), changed AS (
        SELECT item_id, campaign_id, jsonb_object_agg(grades, difference) AS said,
            sum(difference) AS difference
        FROM said GROUP BY item_id, campaign_id
    ), counted AS (
        INSERT INTO tallies_itemtally AS kept
            (item_id, campaign_id, criterion_id, wanted, said)
        SELECT changed.item_id, changed.campaign_id, criterion.id, criterion.k, changed.said
        FROM changed
        JOIN campaigns_item item ON item.id = changed.item_id
        JOIN campaigns_criterion criterion ON criterion.id = item.criterion_id
        ORDER BY changed.item_id
        ON CONFLICT (item_id) DO UPDATE SET said = tallies_sum(kept.said, excluded.said)
        RETURNING item_id, votes, wanted
    ), flipped AS (
        SELECT item_id, (votes >= wanted)::integer - (votes - difference >= wanted)::integer AS flips
        FROM counted JOIN changed USING (item_id)
    ), last_of_item AS (
        -- An item that became complete, or ceased to be, is put down to one of those who did it.
        SELECT DISTINCT ON (item_id) item_id, campaign_id, annotator, quarter, flipped.flips
        FROM event JOIN flipped USING (item_id)
        WHERE flipped.flips <> 0 AND event.difference <> 0
        ORDER BY item_id, annotator DESC, quarter DESC
    ), completed AS (
        SELECT campaign_id, annotator, quarter, sum(last_of_item.flips) AS completed
        FROM last_of_item GROUP BY campaign_id, annotator, quarter
    )
    INSERT INTO tallies_activity AS kept
        (campaign_id, annotator_id, quarter, votes, completed, changes, last_at)
    SELECT campaign_id, annotator, quarter, sum(difference), coalesce(max(completed.completed), 0),
        count(*), max(at)
    FROM event LEFT JOIN completed USING (campaign_id, annotator, quarter)
    GROUP BY campaign_id, annotator, quarter
    ORDER BY campaign_id, annotator, quarter
    ON CONFLICT (campaign_id, annotator_id, quarter) DO UPDATE SET
        votes = kept.votes + excluded.votes,
        completed = kept.completed + excluded.completed,
        changes = kept.changes + excluded.changes,
        last_at = greatest(kept.last_at, excluded.last_at);
END
$$;

-- The same of one event: what every voter waits for, so its statements are planned once.
CREATE OR REPLACE FUNCTION tallies_apply_one(
    p_assignment bigint, p_annotator bigint, p_grades text, p_at timestamptz, p_difference integer
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    now_votes integer;
    now_wanted integer;
    flips integer := 0;
BEGIN
    SELECT a.campaign_id, a.item_id, a.purpose INTO asked
    FROM annotation_assignment a WHERE a.id = p_assignment;
    IF asked.purpose <> 'main' THEN
        p_difference := 0;
    END IF;
    IF p_difference <> 0 THEN
        INSERT INTO tallies_itemtally AS kept
            (item_id, campaign_id, criterion_id, wanted, said)
        SELECT item.id, item.campaign_id, criterion.id, criterion.k,
            jsonb_build_object(p_grades, p_difference)
        FROM campaigns_item item JOIN campaigns_criterion criterion
            ON criterion.id = item.criterion_id
        WHERE item.id = asked.item_id
        ON CONFLICT (item_id) DO UPDATE SET said =
            CASE coalesce((kept.said ->> p_grades)::integer, 0) + p_difference
            WHEN 0 THEN kept.said - p_grades
            ELSE kept.said || jsonb_build_object(
                p_grades, coalesce((kept.said ->> p_grades)::integer, 0) + p_difference
            ) END
        RETURNING votes, wanted INTO now_votes, now_wanted;
        flips := (now_votes >= now_wanted)::integer
            - (now_votes - p_difference >= now_wanted)::integer;
    END IF;
    INSERT INTO tallies_activity AS kept
        (campaign_id, annotator_id, quarter, votes, completed, changes, last_at)
    VALUES (
        asked.campaign_id, p_annotator, date_bin('15 minutes', p_at, 'epoch'), p_difference, flips,
        1, p_at
    )
    ON CONFLICT (campaign_id, annotator_id, quarter) DO UPDATE SET
        votes = kept.votes + excluded.votes,
        completed = kept.completed + excluded.completed,
        changes = kept.changes + 1,
        last_at = greatest(kept.last_at, excluded.last_at);
END
$$;

CREATE OR REPLACE FUNCTION tallies_on_votes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    many bigint := (SELECT count(*) FROM (SELECT FROM added LIMIT 2) AS first);
BEGIN
    IF many = 1 AND TG_OP = 'INSERT' THEN
        PERFORM tallies_apply_one(
            assignment_id, annotator_id, grades::text, voted_at,
            (retracted_at IS NULL AND exclusion_id IS NULL)::integer
        ) FROM added;
    ELSIF many > 0 AND TG_OP = 'INSERT' THEN
        PERFORM tallies_apply(
            array_agg(assignment_id), array_agg(annotator_id), array_agg(grades::text),
            array_agg(voted_at),
            array_agg((retracted_at IS NULL AND exclusion_id IS NULL)::integer)
        ) FROM added;
    ELSIF many > 0 THEN
        PERFORM tallies_apply(
            array_agg(now.assignment_id), array_agg(now.annotator_id), array_agg(now.grades::text),
            array_agg(now.voted_at),
            array_agg((now.retracted_at IS NULL AND now.exclusion_id IS NULL)::integer
                - (was.retracted_at IS NULL AND was.exclusion_id IS NULL)::integer)
        ) FROM added now JOIN gone was USING (id);
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tallies_of_new_votes AFTER INSERT ON annotation_vote
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_votes();
CREATE OR REPLACE TRIGGER tallies_of_changed_votes AFTER UPDATE ON annotation_vote
    REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_votes();

-- Late answers and items left for good.
CREATE OR REPLACE FUNCTION tallies_on_leavings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tallies_apply(
        array_agg(assignment_id), array_agg(annotator_id), array_agg(''::text),
        array_agg(clock_timestamp()), array_agg(0)
    ) FROM added HAVING count(*) > 0;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tallies_of_new_surplus AFTER INSERT ON annotation_surplusvote
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_leavings();
CREATE OR REPLACE TRIGGER tallies_of_changed_surplus AFTER UPDATE ON annotation_surplusvote
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_leavings();
CREATE OR REPLACE TRIGGER tallies_of_lost_surplus AFTER DELETE ON annotation_surplusvote
    REFERENCING OLD TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_leavings();
CREATE OR REPLACE TRIGGER tallies_of_new_releases AFTER INSERT ON annotation_release
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_leavings();
CREATE OR REPLACE TRIGGER tallies_of_changed_releases AFTER UPDATE ON annotation_release
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_leavings();
CREATE OR REPLACE TRIGGER tallies_of_lost_releases AFTER DELETE ON annotation_release
    REFERENCING OLD TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_leavings();

-- What no voter changes. Rows that go make no pulse: their campaign may be going with them.
CREATE OR REPLACE FUNCTION tallies_note(p_campaigns bigint[], p_is_removal boolean)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_is_removal THEN
        UPDATE tallies_pulse SET changes = changes + 1 WHERE campaign_id = ANY (p_campaigns);
        RETURN;
    END IF;
    INSERT INTO tallies_pulse AS kept (campaign_id, slots, changes)
    SELECT DISTINCT campaign, 0, 1 FROM unnest(p_campaigns) campaign ORDER BY campaign
    ON CONFLICT (campaign_id) DO UPDATE SET changes = kept.changes + 1;
END
$$;

CREATE OR REPLACE FUNCTION tallies_on_slots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM touched WHERE purpose = 'main') THEN
        RETURN NULL;  -- a check that is served, of which there are many
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO tallies_pulse AS kept (campaign_id, slots, changes)
        SELECT campaign_id, count(*), 1 FROM touched WHERE purpose = 'main'
        GROUP BY campaign_id ORDER BY campaign_id
        ON CONFLICT (campaign_id) DO UPDATE SET
            slots = kept.slots + excluded.slots, changes = kept.changes + 1;
    ELSE
        UPDATE tallies_pulse kept SET slots = kept.slots - gone.slots, changes = kept.changes + 1
        FROM (SELECT campaign_id, count(*) AS slots FROM touched WHERE purpose = 'main'
            GROUP BY campaign_id) gone
        WHERE kept.campaign_id = gone.campaign_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tallies_of_new_slots AFTER INSERT ON annotation_assignment
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_slots();
CREATE OR REPLACE TRIGGER tallies_of_lost_slots AFTER DELETE ON annotation_assignment
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_slots();

-- Sets and items: whatever is done to them.
CREATE OR REPLACE FUNCTION tallies_on_sets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tallies_note(
        ARRAY(SELECT DISTINCT campaign_id FROM touched), TG_OP = 'DELETE'
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tallies_of_new_sets AFTER INSERT ON campaigns_imageset
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_sets();
CREATE OR REPLACE TRIGGER tallies_of_changed_sets AFTER UPDATE ON campaigns_imageset
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_sets();
CREATE OR REPLACE TRIGGER tallies_of_lost_sets AFTER DELETE ON campaigns_imageset
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_sets();
CREATE OR REPLACE TRIGGER tallies_of_new_items AFTER INSERT ON campaigns_item
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_sets();
CREATE OR REPLACE TRIGGER tallies_of_changed_items AFTER UPDATE ON campaigns_item
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_sets();
CREATE OR REPLACE TRIGGER tallies_of_lost_items AFTER DELETE ON campaigns_item
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_sets();

-- Images of sets. They are made together with their set, which is noted.
CREATE OR REPLACE FUNCTION tallies_on_images() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tallies_note(
        ARRAY(
            SELECT DISTINCT shown.campaign_id FROM touched
            JOIN campaigns_imageset shown ON shown.id = touched.image_set_id
        ), TG_OP = 'DELETE'
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tallies_of_changed_images AFTER UPDATE ON campaigns_shownimage
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_images();
CREATE OR REPLACE TRIGGER tallies_of_lost_images AFTER DELETE ON campaigns_shownimage
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_images();

-- Samples that sets show: how much of the prompt was read, whether the image is of one colour.
CREATE OR REPLACE FUNCTION tallies_on_samples() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tallies_note(
        ARRAY(
            SELECT DISTINCT shown.campaign_id FROM added now JOIN gone was USING (id)
            JOIN campaigns_shownimage image ON image.sample_id = now.id
            JOIN campaigns_imageset shown ON shown.id = image.image_set_id
            WHERE (now.prompt_tokens, now.tokens_read, now.is_constant, now.image_sha256)
                IS DISTINCT FROM
                (was.prompt_tokens, was.tokens_read, was.is_constant, was.image_sha256)
        ), false
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tallies_of_changed_samples AFTER UPDATE ON generation_sample
    REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_samples();

-- Prompts: their categories and marks, on which rows of a report hang.
CREATE OR REPLACE FUNCTION tallies_on_prompts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tallies_note(
        ARRAY(
            SELECT campaign_id FROM campaigns_campaign_prompt_sets
            WHERE promptset_id IN (SELECT prompt_set_id FROM touched)
        ), TG_OP = 'DELETE'
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tallies_of_new_prompts AFTER INSERT ON promptsets_prompt
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_prompts();
CREATE OR REPLACE TRIGGER tallies_of_changed_prompts AFTER UPDATE ON promptsets_prompt
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_prompts();
CREATE OR REPLACE TRIGGER tallies_of_lost_prompts AFTER DELETE ON promptsets_prompt
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_prompts();

-- Rows that change with every vote stay on their page, and no index of theirs is written to.
ALTER TABLE tallies_itemtally SET (fillfactor = 70);
ALTER TABLE tallies_activity SET (fillfactor = 70);
