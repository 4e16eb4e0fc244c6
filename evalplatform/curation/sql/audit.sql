-- What is written down of pools and their stages (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_pool
    AFTER INSERT OR UPDATE OR DELETE ON curation_pool
    FOR EACH ROW EXECUTE FUNCTION audit_row('pool', 'r.name', 'r.project_id', 'origin');
CREATE OR REPLACE TRIGGER audit_caption_round
    AFTER INSERT OR UPDATE OR DELETE ON curation_captionround
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'caption round',
        '(SELECT name FROM curation_pool WHERE id = r.pool_id) || '' captions '' || r.number',
        '(SELECT project_id FROM curation_pool WHERE id = r.pool_id)', 'closed_at');
CREATE OR REPLACE TRIGGER audit_stage
    AFTER INSERT OR UPDATE OR DELETE ON curation_stage
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'stage', '(SELECT name FROM curation_pool WHERE id = r.pool_id) || '' '' || r.kind',
        '(SELECT project_id FROM curation_pool WHERE id = r.pool_id)',
        'keep target closed_at decisions_sha256');
CREATE OR REPLACE TRIGGER audit_scoring
    AFTER INSERT OR UPDATE OF status OR DELETE ON curation_scoringrequest
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'scoring', 'r.name', 'r.project_id', 'data out scorers options status');
