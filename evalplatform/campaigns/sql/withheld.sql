-- An image that the safety filter keeps back is shown to nobody, and stays kept back.
-- Rows come by the thousand when a campaign opens, so each statement is looked at once. There are
-- two statements, so that each is planned from the side that grows.
CREATE OR REPLACE FUNCTION campaigns_refuse_withheld() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_both boolean;
BEGIN
    IF TG_TABLE_NAME = 'campaigns_shownimage' THEN
        SELECT EXISTS (
            SELECT 1 FROM added JOIN campaigns_imageset s ON s.id = added.image_set_id
            JOIN campaigns_withheld w ON w.campaign_id = s.campaign_id
                AND (w.sample_id = added.sample_id OR w.collected_id = added.collected_id)
        ) INTO is_both;
    ELSE
        SELECT EXISTS (
            SELECT 1 FROM added JOIN campaigns_shownimage shown ON shown.sample_id = added.sample_id
                OR shown.collected_id = added.collected_id
            JOIN campaigns_imageset s
                ON s.id = shown.image_set_id AND s.campaign_id = added.campaign_id
        ) INTO is_both;
    END IF;
    IF is_both THEN
        RAISE EXCEPTION 'an image that the safety filter keeps back cannot be shown'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'shown_image_not_withheld';
    END IF;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER shown_image_not_withheld AFTER INSERT ON campaigns_shownimage
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION campaigns_refuse_withheld();
CREATE OR REPLACE TRIGGER withheld_not_shown AFTER INSERT ON campaigns_withheld
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION campaigns_refuse_withheld();

CREATE OR REPLACE FUNCTION campaigns_refuse_withheld_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was withheld is never changed'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'withheld_immutable';
END
$$;
CREATE OR REPLACE TRIGGER withheld_immutable BEFORE UPDATE ON campaigns_withheld
    FOR EACH ROW EXECUTE FUNCTION campaigns_refuse_withheld_change();
