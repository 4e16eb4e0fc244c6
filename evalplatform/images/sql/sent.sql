-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER imageimport_stays_in_its_project
    BEFORE UPDATE ON images_imageimport
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();

-- And is for prompts of its own project or shared ones.

CREATE OR REPLACE TRIGGER imageimport_of_its_project_or_shared_prompts
    AFTER INSERT OR UPDATE OF prompt_set_id ON images_imageimport
    FOR EACH ROW WHEN (NEW.prompt_set_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use('promptsets_promptset', 'prompt_set_id');
