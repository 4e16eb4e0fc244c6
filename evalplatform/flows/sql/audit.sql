-- What is written down of flows (accounts/sql/audit.sql). Images are not: there are thousands, and
-- their batch names them by hash.

CREATE OR REPLACE TRIGGER audit_flow
    AFTER INSERT OR DELETE OR UPDATE OF status ON flows_flow
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'flow', 'r.slug', 'r.project_id', 'images_per_panel k criterion status');

CREATE OR REPLACE TRIGGER audit_flow_batch
    AFTER INSERT OR DELETE OR UPDATE OF status ON flows_flowbatch
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'flow batch',
        '(SELECT f.slug || '' batch '' || r.number FROM flows_flow f WHERE f.id = r.flow_id)',
        '(SELECT f.project_id FROM flows_flow f WHERE f.id = r.flow_id)',
        'status deadline_at campaign_id reason');
