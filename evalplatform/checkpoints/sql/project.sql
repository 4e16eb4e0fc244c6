-- Both stay in their project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER checkpoint_stays_in_its_project
    BEFORE UPDATE ON checkpoints_checkpoint
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
CREATE OR REPLACE TRIGGER upload_stays_in_its_project
    BEFORE UPDATE ON checkpoints_upload
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();

-- And is made of what is its own or shared.

CREATE OR REPLACE TRIGGER upload_into_its_project_or_shared_base
    AFTER INSERT OR UPDATE OF base_id ON checkpoints_upload
    FOR EACH ROW WHEN (NEW.base_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use('checkpoints_checkpoint', 'base_id');
