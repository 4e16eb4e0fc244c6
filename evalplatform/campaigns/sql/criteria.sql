-- What a campaign asks, in its exact words, is frozen with its protocol: an open campaign's votes
-- answer the question that its hash stands for. Nothing is added, changed, moved or removed.

-- The campaign's row is locked before its status is read: an opening that has begun is waited for,
-- and one that comes waits for the change. FOR KEY SHARE would let a bare change of status pass.
CREATE OR REPLACE FUNCTION criterion_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM campaigns_campaign WHERE id IN (OLD.campaign_id, NEW.campaign_id)
    ORDER BY id FOR SHARE;
    IF EXISTS (
        SELECT FROM campaigns_campaign campaign
        WHERE campaign.id IN (OLD.campaign_id, NEW.campaign_id)
            AND campaign.status NOT IN ('draft', 'generating')
            -- Votes that are imported come with a campaign that is closed from the beginning: it
            -- is told what was asked before it has items.
            AND NOT (TG_OP = 'INSERT' AND campaign.imported_from IS NOT NULL AND NOT EXISTS (
                SELECT FROM campaigns_item item WHERE item.campaign_id = campaign.id)))
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
CREATE OR REPLACE TRIGGER criterion_is_not_added
    BEFORE INSERT ON campaigns_criterion
    FOR EACH ROW EXECUTE FUNCTION criterion_refuse_change();

-- Asked as the transaction ends: a campaign that is deleted as a whole takes what it asks with it.
DROP TRIGGER IF EXISTS criterion_is_not_removed ON campaigns_criterion;
CREATE CONSTRAINT TRIGGER criterion_is_not_removed
    AFTER DELETE ON campaigns_criterion DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION criterion_refuse_change();
