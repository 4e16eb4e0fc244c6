-- Both stay in their project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER checkpoint_stays_in_its_project
    BEFORE UPDATE ON checkpoints_checkpoint
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
CREATE OR REPLACE TRIGGER upload_stays_in_its_project
    BEFORE UPDATE ON checkpoints_upload
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
