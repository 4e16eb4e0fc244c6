-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER imagecollection_stays_in_its_project
    BEFORE UPDATE ON images_imagecollection
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();

-- And is made of what is its own or shared.

CREATE OR REPLACE TRIGGER collection_of_its_project_or_shared_prompts
    AFTER INSERT OR UPDATE OF prompt_set_id ON images_imagecollection
    FOR EACH ROW WHEN (NEW.prompt_set_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use('promptsets_promptset', 'prompt_set_id');
