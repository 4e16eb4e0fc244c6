-- What is written down of prompt sets (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_promptset
    AFTER INSERT OR UPDATE OR DELETE ON promptsets_promptset
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'prompt set', 'r.name || ''@'' || r.version', 'r.project_id', 'sha256 licence is_shared');
