-- What is written down of image collections (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_collection
    AFTER INSERT OR UPDATE OR DELETE ON images_imagecollection
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'collection', 'r.name', 'r.project_id', 'model status sha256 image_count is_shared');
