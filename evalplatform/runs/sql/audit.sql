-- What is written down of drafts (accounts/sql/audit.sql). What was chosen is in its revisions.

CREATE OR REPLACE TRIGGER audit_draft
    AFTER INSERT OR UPDATE OF title, version, choices, campaign_id, opening_asked_at OR DELETE
    ON runs_draft
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'draft',
        'coalesce(nullif(r.title, ''''), nullif(r.choices ->> ''name'', ''''), ''draft '' || r.id)',
        'r.project_id', 'title version choices campaign_id opening_asked_at');
