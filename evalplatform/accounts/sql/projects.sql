-- What a CHECK cannot say of projects: one that has members keeps an owner, and nothing moves from
-- one project to another.

CREATE OR REPLACE FUNCTION project_check_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Deferred to the commit: a project that is deleted takes its memberships along.
    IF EXISTS (SELECT 1 FROM accounts_project WHERE id = OLD.project_id)
        AND NOT EXISTS (
            SELECT 1 FROM accounts_membership
            WHERE project_id = OLD.project_id AND role = 'owner'
        )
    THEN
        RAISE EXCEPTION 'project % would have no owner', OLD.project_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_keeps_an_owner';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION project_refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what belongs to a project stays in it'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'stays_in_its_project';
END
$$;

DROP TRIGGER IF EXISTS project_keeps_an_owner ON accounts_membership;
CREATE CONSTRAINT TRIGGER project_keeps_an_owner
    AFTER UPDATE OR DELETE ON accounts_membership
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION project_check_owner();
CREATE OR REPLACE TRIGGER membership_stays_in_its_project
    BEFORE UPDATE ON accounts_membership
    FOR EACH ROW WHEN ((OLD.project_id, OLD.user_id) IS DISTINCT FROM (NEW.project_id, NEW.user_id))
    EXECUTE FUNCTION project_refuse_move();
