-- What a reward said of an image stays as it is.
CREATE OR REPLACE FUNCTION feedback_refuse_score_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a stored score of a reward is never changed or deleted'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'reward_score_immutable';
END
$$;
CREATE OR REPLACE TRIGGER reward_score_immutable BEFORE UPDATE OR DELETE ON feedback_rewardscore
    FOR EACH ROW EXECUTE FUNCTION feedback_refuse_score_change();

-- Which reward stands beside a campaign's votes, and who said so.
CREATE OR REPLACE TRIGGER audit_campaign_reward
    AFTER INSERT OR DELETE ON feedback_campaignreward
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'reward beside votes',
        '(SELECT w.name FROM feedback_registeredreward w WHERE w.id = r.reward_id) || '' beside ''
            || (SELECT c.slug FROM campaigns_campaign c WHERE c.id = r.campaign_id)',
        '(SELECT c.project_id FROM campaigns_campaign c WHERE c.id = r.campaign_id)',
        'reward_id campaign_id');
