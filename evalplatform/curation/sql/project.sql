-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER pool_stays_in_its_project
    BEFORE UPDATE ON curation_pool
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
CREATE OR REPLACE TRIGGER scoring_stays_in_its_project
    BEFORE UPDATE ON curation_scoringrequest
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();

-- And is made of what is its own or shared.

CREATE OR REPLACE TRIGGER pool_of_its_project_or_shared_collection
    AFTER INSERT OR UPDATE OF collection_id ON curation_pool
    FOR EACH ROW WHEN (NEW.collection_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use('images_imagecollection', 'collection_id');
