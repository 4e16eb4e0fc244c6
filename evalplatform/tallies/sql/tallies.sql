-- The counts of tallies/models.py: what follows from what was said of an item, and what no voter
-- changes. What voters change is noted and counted in `pending.sql`.

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
