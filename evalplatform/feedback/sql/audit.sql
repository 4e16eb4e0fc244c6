-- What is written down of feedback loops (accounts/sql/audit.sql).

CREATE OR REPLACE TRIGGER audit_feedback_loop
    AFTER INSERT OR DELETE ON feedback_feedbackloop
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'feedback', 'r.slug', 'r.project_id',
        'gallery aspects k verified_share agreement_floor');

CREATE OR REPLACE TRIGGER audit_feedback_round
    AFTER INSERT OR DELETE
        OR UPDATE OF preferences_sha256, child_id, verification_id, agreed, compared, proof_id
    ON feedback_feedbackround
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'feedback round',
        '(SELECT l.slug || '' round '' || r.number FROM feedback_feedbackloop l WHERE l.id = r.loop_id)',
        '(SELECT l.project_id FROM feedback_feedbackloop l WHERE l.id = r.loop_id)',
        'preferences_sha256 child_id verification_id agreed compared proof_id');

CREATE OR REPLACE TRIGGER audit_reward
    AFTER INSERT OR DELETE ON feedback_registeredreward
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'reward', 'r.name', 'r.project_id', 'sha256 purpose preferences_sha256');
