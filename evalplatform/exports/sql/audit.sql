-- What is written down of exports (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_export
    AFTER INSERT OR DELETE OR UPDATE OF state ON exports_export
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'export', 'r.public_id',
        '(SELECT c.project_id FROM campaigns_campaign c WHERE c.id = r.campaign_id)',
        'kind state options');
