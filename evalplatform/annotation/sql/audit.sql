-- What is written down of exclusions: by number, nothing that tells who an annotator is
-- (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_exclusion
    AFTER INSERT OR UPDATE OF rule, revoked_at OR DELETE ON annotation_exclusion
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'exclusion',
        '(SELECT c.slug || '' #'' || e.id FROM annotation_enrolment e JOIN campaigns_campaign c ON
        c.id = e.campaign_id WHERE e.id = r.enrolment_id)',
        '(SELECT c.project_id FROM annotation_enrolment e JOIN campaigns_campaign c ON
        c.id = e.campaign_id WHERE e.id = r.enrolment_id)',
        'rule revoked_at');
