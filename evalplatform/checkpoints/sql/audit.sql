-- What is written down of checkpoints and uploads (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_checkpoint
    AFTER INSERT OR UPDATE OR DELETE ON checkpoints_checkpoint
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'checkpoint', 'r.name', 'r.project_id', 'name role status sha256 is_shared');
CREATE OR REPLACE TRIGGER audit_upload
    AFTER INSERT OR UPDATE OR DELETE ON checkpoints_upload
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'upload', 'r.file_name', 'r.project_id', 'status size_bytes checkpoint_name reason');
