-- What voters change. A voter's transaction only appends a line to tallies_pending; whoever reads
-- counts takes the lines out and adds them up first (`tallies_fold`), so that what is read is as
-- exact as a count would be, and the voter does not wait for it.
--
-- Order of locks: voters take none here. Whoever folds has the lock of one campaign's counts, then
-- its tallies in the order of items, then its activity; nobody else writes to those rows. Of
-- several campaigns the lower id is folded first.

CREATE OR REPLACE FUNCTION tallies_on_votes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The assignment is looked up by its key for each vote: a plan that reads all of them would
    -- be kept for the session, and cost the next single vote a second.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO tallies_pending (campaign_id, item_id, annotator_id, grades, at, difference)
        SELECT asked.campaign_id, asked.item_id, added.annotator_id, added.grades, added.voted_at,
            (asked.is_main AND added.retracted_at IS NULL AND added.exclusion_id IS NULL)::integer
        FROM added JOIN LATERAL (
            SELECT campaign_id, item_id, purpose = 'main' AS is_main
            FROM annotation_assignment WHERE id = added.assignment_id OFFSET 0
        ) asked ON true;
        RETURN NULL;
    END IF;
    INSERT INTO tallies_pending (campaign_id, item_id, annotator_id, grades, at, difference)
    SELECT asked.campaign_id, asked.item_id, now.annotator_id, now.grades, now.voted_at,
        (asked.is_main AND now.retracted_at IS NULL AND now.exclusion_id IS NULL)::integer
        - (asked.is_main AND was.retracted_at IS NULL AND was.exclusion_id IS NULL)::integer
    FROM added now JOIN gone was USING (id) JOIN LATERAL (
        SELECT campaign_id, item_id, purpose = 'main' AS is_main
        FROM annotation_assignment WHERE id = now.assignment_id OFFSET 0
    ) asked ON true;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tallies_of_new_votes AFTER INSERT ON annotation_vote
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_votes();
CREATE OR REPLACE TRIGGER tallies_of_changed_votes AFTER UPDATE ON annotation_vote
    REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tallies_on_votes();

-- Late answers and items left for good: that something happened, and no vote on an item.
CREATE OR REPLACE FUNCTION tallies_on_leavings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tallies_pending (campaign_id, item_id, annotator_id, grades, at, difference)
    SELECT asked.campaign_id, asked.item_id, added.annotator_id, '{}', clock_timestamp(), 0
    FROM added JOIN LATERAL (
        SELECT campaign_id, item_id FROM annotation_assignment
        WHERE id = added.assignment_id OFFSET 0
    ) asked ON true;
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

-- Count what was noted of a campaign by transactions that have committed; return how many lines.
-- It holds the lock of the campaign's counts until its transaction ends: who comes meanwhile waits
-- and reads what it counted, so nobody sees a line neither noted nor counted. A transaction that
-- sees one moment only (REPEATABLE READ), or may not write, has nothing counted: the sums that are
-- read there add what is noted themselves; an item's tally is that of the last fold.
CREATE OR REPLACE FUNCTION tallies_may_fold() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT current_setting('transaction_read_only')::boolean
        AND current_setting('transaction_isolation') = 'read committed'
$$;
CREATE OR REPLACE FUNCTION tallies_fold(p_campaign bigint) RETURNS bigint LANGUAGE plpgsql
SET enable_nestloop = off SET jit = off AS $$
DECLARE
    folded bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM tallies_pending WHERE campaign_id = p_campaign)
        OR NOT tallies_may_fold()
    THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('tallies of ' || p_campaign, 0));
    -- The plan is kept for the session, for one line and for half a million: rows of other tables
    -- are looked up by their key, and what is in memory is joined by hashes.
    WITH taken AS (
        DELETE FROM tallies_pending WHERE campaign_id = p_campaign
        RETURNING item_id, annotator_id, grades, at, difference
    ), event AS MATERIALIZED (
        -- What was deleted meanwhile is not counted any more.
        SELECT item.criterion_id, taken.*, date_bin('15 minutes', at, 'epoch') AS quarter
        FROM taken
        JOIN LATERAL (
            SELECT criterion_id FROM campaigns_item
            WHERE id = taken.item_id AND campaign_id = p_campaign OFFSET 0
        ) item ON true
        JOIN LATERAL (
            SELECT FROM accounts_annotator WHERE id = taken.annotator_id OFFSET 0
        ) person ON true
    ), said AS (
        SELECT item_id, criterion_id, grades, sum(difference) AS difference
        FROM event GROUP BY item_id, criterion_id, grades HAVING sum(difference) <> 0
    ), changed AS (
        SELECT item_id, criterion_id, jsonb_object_agg(grades::text, difference) AS said,
            sum(difference) AS difference
        FROM said GROUP BY item_id, criterion_id
    ), counted AS (
        INSERT INTO tallies_itemtally AS kept
            (item_id, campaign_id, criterion_id, wanted, said)
        SELECT changed.item_id, p_campaign, criterion.id, criterion.k, changed.said
        FROM changed JOIN campaigns_criterion criterion ON criterion.id = changed.criterion_id
        ORDER BY changed.item_id
        ON CONFLICT (item_id) DO UPDATE SET said = tallies_sum(kept.said, excluded.said)
        RETURNING item_id, votes, wanted
    ), flipped AS (
        SELECT item_id, (votes >= wanted)::integer - (votes - difference >= wanted)::integer AS flips
        FROM counted JOIN changed USING (item_id)
    ), last_of_item AS (
        -- An item that became complete, or ceased to be, is put down to one of those who did it.
        SELECT DISTINCT ON (item_id) item_id, annotator_id, quarter, flipped.flips
        FROM event JOIN flipped USING (item_id)
        WHERE flipped.flips <> 0 AND event.difference <> 0
        ORDER BY item_id, annotator_id DESC, quarter DESC
    ), completed AS (
        SELECT annotator_id, quarter, sum(flips) AS completed
        FROM last_of_item GROUP BY annotator_id, quarter
    ), acted AS (
        INSERT INTO tallies_activity AS kept
            (campaign_id, annotator_id, quarter, votes, completed, changes, last_at)
        SELECT p_campaign, annotator_id, quarter, sum(difference),
            coalesce(max(completed.completed), 0), count(*), max(at)
        FROM event LEFT JOIN completed USING (annotator_id, quarter)
        GROUP BY annotator_id, quarter
        ORDER BY annotator_id, quarter
        ON CONFLICT (campaign_id, annotator_id, quarter) DO UPDATE SET
            votes = kept.votes + excluded.votes,
            completed = kept.completed + excluded.completed,
            changes = kept.changes + excluded.changes,
            last_at = greatest(kept.last_at, excluded.last_at)
    )
    SELECT count(*) INTO folded FROM taken;
    RETURN folded;
END
$$;

-- A campaign's activity with all that was noted counted, to be read in one trip to the server.
-- Where nothing may be counted it is added; `completed` is then of the last fold.
CREATE OR REPLACE FUNCTION tallies_activity_of(p_campaign bigint)
RETURNS SETOF tallies_activity LANGUAGE plpgsql AS $$
BEGIN
    IF tallies_may_fold() THEN
        PERFORM tallies_fold(p_campaign);
        RETURN QUERY SELECT * FROM tallies_activity WHERE campaign_id = p_campaign;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT NULL::bigint, of_one.quarter, sum(of_one.votes)::integer,
        sum(of_one.completed)::integer, sum(of_one.changes)::bigint, max(of_one.last_at),
        of_one.annotator_id, p_campaign
    FROM (
        SELECT kept.annotator_id, kept.quarter, kept.votes, kept.completed, kept.changes,
            kept.last_at
        FROM tallies_activity kept WHERE kept.campaign_id = p_campaign
        UNION ALL
        SELECT noted.annotator_id, date_bin('15 minutes', noted.at, 'epoch'), noted.difference, 0,
            1, noted.at
        FROM tallies_pending noted WHERE noted.campaign_id = p_campaign
    ) of_one
    GROUP BY of_one.annotator_id, of_one.quarter;
END
$$;

-- Of earlier versions, which counted in the voter's transaction.
DROP FUNCTION IF EXISTS tallies_apply(bigint[], bigint[], text[], timestamptz[], integer[]);
DROP FUNCTION IF EXISTS tallies_apply_one(bigint, bigint, text, timestamptz, integer);

-- Lines come and go: room is made again as soon as a few pages of them are gone.
ALTER TABLE tallies_pending SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0
);
