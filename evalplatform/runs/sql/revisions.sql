-- A revision is what somebody saw: it is never rewritten. It goes with its draft.

CREATE OR REPLACE FUNCTION draft_revision_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a revision of a draft is not rewritten'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'draft_revision_is_kept';
END
$$;

CREATE OR REPLACE TRIGGER draft_revision_is_kept
    BEFORE UPDATE OF draft_id, version, choices ON runs_draftrevision
    FOR EACH ROW EXECUTE FUNCTION draft_revision_is_kept();

-- A draft stays in its project (accounts/sql/projects.sql).
CREATE OR REPLACE TRIGGER draft_stays_in_its_project
    BEFORE UPDATE ON runs_draft
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
