-- What a CHECK cannot say of projects: one that has members keeps an owner, nothing moves from one
-- project to another, and nothing is made of what is another's and not shared.

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

CREATE OR REPLACE FUNCTION project_check_use() RETURNS trigger LANGUAGE plpgsql AS $$
-- Arguments: the table of what a row is made of, and the row's column that names it; for a row that
-- has no project itself, the table it belongs to, and the column that names that.
-- What was made of a shared thing stays when sharing ends.
DECLARE
    used bigint := to_jsonb(NEW) ->> TG_ARGV[1];
    project bigint := to_jsonb(NEW) ->> 'project_id';
    is_foreign boolean;
BEGIN
    IF TG_NARGS > 2 THEN
        EXECUTE format('SELECT project_id FROM %I WHERE id = $1', TG_ARGV[2])
        INTO project USING (to_jsonb(NEW) ->> TG_ARGV[3])::bigint;
    END IF;
    EXECUTE format(
        'SELECT EXISTS (SELECT 1 FROM %I WHERE id = $1 AND project_id <> $2 AND NOT is_shared)',
        TG_ARGV[0]
    ) INTO is_foreign USING used, project;
    IF is_foreign THEN
        RAISE EXCEPTION '% % is another project''s and not shared', TG_ARGV[0], used
            USING ERRCODE = 'check_violation', CONSTRAINT = 'made_of_its_own_or_shared';
    END IF;
    RETURN NULL;
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
