-- Both stay in their project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER feedback_loop_stays_in_its_project
    BEFORE UPDATE ON feedback_feedbackloop
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
CREATE OR REPLACE TRIGGER reward_stays_in_its_project
    BEFORE UPDATE ON feedback_registeredreward
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();

-- And is made of what is its own or shared.

CREATE OR REPLACE TRIGGER loop_of_its_project_or_shared_prompts
    AFTER INSERT OR UPDATE OF prompt_set_id ON feedback_feedbackloop
    FOR EACH ROW WHEN (NEW.prompt_set_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use('promptsets_promptset', 'prompt_set_id');
CREATE OR REPLACE TRIGGER loop_proved_on_its_project_or_shared_prompts
    AFTER INSERT OR UPDATE OF proof_prompt_set_id ON feedback_feedbackloop
    FOR EACH ROW WHEN (NEW.proof_prompt_set_id IS NOT NULL)
    EXECUTE FUNCTION project_check_use('promptsets_promptset', 'proof_prompt_set_id');
