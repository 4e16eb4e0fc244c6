-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER promptupload_stays_in_its_project
    BEFORE UPDATE ON promptsets_promptupload
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();

CREATE OR REPLACE TRIGGER logbuild_stays_in_its_project
    BEFORE UPDATE ON promptsets_logbuild
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
