-- What is written down of campaigns (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_campaign
    AFTER INSERT OR UPDATE OF slug, status, design, seed, prompt_filter, rules, protocol_sha256,
        opens_when_ready OR DELETE ON campaigns_campaign
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'campaign', 'r.slug', 'r.project_id',
        'slug status design seed prompt_filter rules protocol_sha256 opens_when_ready');
