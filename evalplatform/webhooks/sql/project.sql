-- It stays in its project (accounts/sql/projects.sql).

CREATE OR REPLACE TRIGGER webhookendpoint_stays_in_its_project
    BEFORE UPDATE ON webhooks_webhookendpoint
    FOR EACH ROW WHEN (OLD.project_id IS DISTINCT FROM NEW.project_id)
    EXECUTE FUNCTION project_refuse_move();
