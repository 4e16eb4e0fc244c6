-- Both stay in their project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER feedback_loop_stays_in_its_project
    BEFORE UPDATE ON feedback_feedbackloop
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
CREATE OR REPLACE TRIGGER reward_stays_in_its_project
    BEFORE UPDATE ON feedback_registeredreward
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
