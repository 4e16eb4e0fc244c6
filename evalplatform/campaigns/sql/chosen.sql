-- What a CHECK cannot say of chosen images: they are of the campaign's own collections, and which
-- they are is fixed once it opens.

CREATE OR REPLACE FUNCTION chosen_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT given.image_id INTO wrong
    FROM given
    JOIN campaigns_campaign campaign ON campaign.id = given.campaign_id
    JOIN images_collectedimage image ON image.id = given.image_id
    WHERE campaign.status NOT IN ('draft', 'generating')
        OR NOT EXISTS (
            SELECT 1 FROM campaigns_arm arm
            WHERE arm.campaign_id = given.campaign_id AND arm.collection_id = image.collection_id)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'image % is of no collection of its campaign, or this has opened', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'chosen_of_its_collection';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION chosen_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'which images a campaign asks about never changes'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'chosen_is_frozen';
END
$$;

CREATE OR REPLACE FUNCTION chosen_refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM campaigns_campaign campaign
        WHERE campaign.id = OLD.campaign_id AND campaign.status NOT IN ('draft', 'generating'))
    THEN
        RAISE EXCEPTION 'which images an open campaign asks about never changes'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'chosen_is_frozen';
    END IF;
    RETURN OLD;
END
$$;

CREATE OR REPLACE TRIGGER chosen_of_its_collection
    AFTER INSERT ON campaigns_chosenimage REFERENCING NEW TABLE AS given
    FOR EACH STATEMENT EXECUTE FUNCTION chosen_check();
CREATE OR REPLACE TRIGGER chosen_is_frozen
    BEFORE UPDATE ON campaigns_chosenimage
    FOR EACH ROW EXECUTE FUNCTION chosen_refuse_change();
CREATE OR REPLACE TRIGGER chosen_is_not_removed
    BEFORE DELETE ON campaigns_chosenimage
    FOR EACH ROW EXECUTE FUNCTION chosen_refuse_removal();
