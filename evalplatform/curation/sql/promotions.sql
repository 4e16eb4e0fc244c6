-- What a CHECK cannot say of decisions: of which images, and that they are never edited.

CREATE OR REPLACE FUNCTION promotion_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT given.pool_image_id INTO wrong
    FROM given
    JOIN curation_stage stage ON stage.id = given.stage_id
    JOIN curation_poolimage image ON image.id = given.pool_image_id
    WHERE image.pool_id <> stage.pool_id
        OR (stage.number > 1 AND NOT EXISTS (
            SELECT 1 FROM curation_promotion earlier
            JOIN curation_stage before ON before.id = earlier.stage_id
            WHERE earlier.pool_image_id = given.pool_image_id AND earlier.kept
                AND before.pool_id = stage.pool_id AND before.number = stage.number - 1))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'image % is of another pool, or the stage before did not keep it', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promotion_of_what_was_kept';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION curation_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'images of pools and decisions on them never change'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'curation_is_frozen';
END
$$;

CREATE OR REPLACE TRIGGER promotion_of_what_was_kept
    AFTER INSERT ON curation_promotion REFERENCING NEW TABLE AS given
    FOR EACH STATEMENT EXECUTE FUNCTION promotion_check();
CREATE OR REPLACE TRIGGER promotion_is_frozen
    BEFORE UPDATE ON curation_promotion
    FOR EACH ROW EXECUTE FUNCTION curation_refuse_change();
CREATE OR REPLACE TRIGGER pool_image_is_frozen
    BEFORE UPDATE ON curation_poolimage
    FOR EACH ROW EXECUTE FUNCTION curation_refuse_change();
