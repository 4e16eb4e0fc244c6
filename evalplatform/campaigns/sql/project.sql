-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER campaign_stays_in_its_project
    BEFORE UPDATE ON campaigns_campaign
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();

-- And is made of what is its own or shared.

CREATE OR REPLACE TRIGGER arm_of_its_project_or_shared_checkpoint
    AFTER INSERT OR UPDATE OF checkpoint_id ON campaigns_arm
    FOR EACH ROW WHEN (NEW.checkpoint_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use(
        'checkpoints_checkpoint', 'checkpoint_id',
        'campaigns_campaign', 'campaign_id');
CREATE OR REPLACE TRIGGER arm_of_its_project_or_shared_collection
    AFTER INSERT OR UPDATE OF collection_id ON campaigns_arm
    FOR EACH ROW WHEN (NEW.collection_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use(
        'images_imagecollection', 'collection_id',
        'campaigns_campaign', 'campaign_id');
CREATE OR REPLACE TRIGGER campaign_of_its_project_or_shared_prompts
    AFTER INSERT OR UPDATE OF promptset_id ON campaigns_campaign_prompt_sets
    FOR EACH ROW WHEN (NEW.promptset_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use(
        'promptsets_promptset', 'promptset_id',
        'campaigns_campaign', 'campaign_id');
