-- What a CHECK cannot say of captions: who wrote one does not approve it, and what was approved is
-- what was written, of this image, in this round.

CREATE OR REPLACE FUNCTION caption_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT given.pool_image_id, written.annotator_id = judged.annotator_id AS is_own INTO wrong
    FROM given
    JOIN curation_captionround round ON round.id = given.round_id
    JOIN curation_poolimage image ON image.id = given.pool_image_id
    JOIN annotation_vote written ON written.id = given.written_id
    JOIN annotation_vote judged ON judged.id = given.judged_id
    JOIN annotation_assignment asked ON asked.id = written.assignment_id
    JOIN annotation_assignment shown ON shown.id = judged.assignment_id
    JOIN campaigns_item asked_item ON asked_item.id = asked.item_id
    JOIN campaigns_item shown_item ON shown_item.id = shown.item_id
    JOIN campaigns_imageset shown_set ON shown_set.id = shown_item.image_set_id
    WHERE written.annotator_id = judged.annotator_id
        OR written.form <> 'caption' OR judged.form <> 'approve'
        OR (judged.answer = 'approve') <> given.approved
        OR asked.campaign_id <> round.writing_id
        OR shown.campaign_id IS DISTINCT FROM round.approval_id
        OR image.pool_id <> round.pool_id
        OR shown_set.prompt_text <> written.answer
        OR NOT EXISTS (SELECT 1 FROM campaigns_shownimage picture
            WHERE picture.image_set_id = asked_item.image_set_id
            AND picture.collected_id = image.image_id)
        OR NOT EXISTS (SELECT 1 FROM campaigns_shownimage picture
            WHERE picture.image_set_id = shown_item.image_set_id
            AND picture.collected_id = image.image_id)
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF wrong.is_own THEN
        RAISE EXCEPTION 'who wrote the caption of image % judged it too', wrong.pool_image_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'caption_by_two_people';
    END IF;
    RAISE EXCEPTION 'the caption of image % is not what its votes say', wrong.pool_image_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'caption_is_what_was_judged';
END
$$;

CREATE OR REPLACE TRIGGER caption_is_what_was_judged
    AFTER INSERT ON curation_caption REFERENCING NEW TABLE AS given
    FOR EACH STATEMENT EXECUTE FUNCTION caption_check();
CREATE OR REPLACE TRIGGER caption_is_frozen
    BEFORE UPDATE ON curation_caption
    FOR EACH ROW EXECUTE FUNCTION curation_refuse_change();
