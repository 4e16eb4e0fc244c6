-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER sentfile_stays_in_its_project
    BEFORE UPDATE ON uploads_sentfile
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
