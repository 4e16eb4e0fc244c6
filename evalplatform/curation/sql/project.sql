-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER pool_stays_in_its_project
    BEFORE UPDATE ON curation_pool
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
CREATE OR REPLACE TRIGGER scoring_stays_in_its_project
    BEFORE UPDATE ON curation_scoringrequest
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
