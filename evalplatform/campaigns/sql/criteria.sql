-- What a campaign asks, in its exact words, is frozen with its protocol: an open campaign's votes
-- answer the question that its hash stands for.

CREATE OR REPLACE FUNCTION criterion_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM campaigns_campaign campaign
        WHERE campaign.id = OLD.campaign_id AND campaign.status NOT IN ('draft', 'generating'))
    THEN
        RAISE EXCEPTION 'what an open campaign asks never changes: make another campaign'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'criterion_is_frozen';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER criterion_is_frozen
    BEFORE UPDATE ON campaigns_criterion
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION criterion_refuse_change();
