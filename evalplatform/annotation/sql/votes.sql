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
