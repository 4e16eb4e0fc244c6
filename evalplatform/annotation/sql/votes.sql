-- A stored vote keeps saying what it said: the part of "append-only" that a CHECK cannot say.
CREATE OR REPLACE FUNCTION annotation_refuse_vote_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'votes are never deleted'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'vote_append_only';
    END IF;
    OLD.retracted_at := NEW.retracted_at;
    OLD.exclusion_id := NEW.exclusion_id;
    IF OLD IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'a stored vote is never changed; retract it and store another'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'vote_append_only';
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER vote_append_only BEFORE UPDATE OR DELETE ON annotation_vote
    FOR EACH ROW EXECUTE FUNCTION annotation_refuse_vote_change();

-- A vote answers what was asked: in the form of its criterion, of the images in the order in which
-- its assignment showed them. Votes that were cast elsewhere come by the hundred thousand, so
-- inserting looks once at all that a statement added.
CREATE OR REPLACE FUNCTION annotation_refuse_other_votes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT added.form, added."order", asked."order" AS asked_order, criterion.form AS asked_form
    INTO wrong
    FROM added
    JOIN LATERAL (
        SELECT a.item_id, a."order" FROM annotation_assignment a
        WHERE a.id = added.assignment_id OFFSET 0
    ) asked ON true
    JOIN LATERAL (
        SELECT i.criterion_id FROM campaigns_item i WHERE i.id = asked.item_id OFFSET 0
    ) item ON true
    JOIN LATERAL (
        SELECT c.form FROM campaigns_criterion c WHERE c.id = item.criterion_id OFFSET 0
    ) criterion ON true
    WHERE added.form <> criterion.form OR added."order" <> asked."order"
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'a vote as % on images shown as %, where % was asked on images shown as %',
        wrong.form, wrong."order", wrong.asked_form, wrong.asked_order
        USING ERRCODE = 'check_violation', CONSTRAINT = 'vote_answers_what_was_asked';
END
$$;
CREATE OR REPLACE TRIGGER vote_answers_what_was_asked AFTER INSERT ON annotation_vote
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION annotation_refuse_other_votes();
