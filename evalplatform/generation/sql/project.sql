-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER generationrequest_stays_in_its_project
    BEFORE UPDATE ON generation_generationrequest
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();

-- And is made of what is its own or shared.

CREATE OR REPLACE TRIGGER batch_of_its_project_or_shared_checkpoint
    AFTER INSERT OR UPDATE OF checkpoint_id ON generation_generationbatch
    FOR EACH ROW WHEN (NEW.checkpoint_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use(
        'checkpoints_checkpoint', 'checkpoint_id',
        'generation_generationrequest', 'request_id');
