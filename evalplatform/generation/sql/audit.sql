-- What is written down of generation: what people ask, not what workers count (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_request
    AFTER INSERT OR UPDATE OF status, priority, budget_seconds OR DELETE
    ON generation_generationrequest
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'generation', 'r.name', 'r.project_id', 'status priority budget_seconds');
