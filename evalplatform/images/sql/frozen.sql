-- What a CHECK cannot say of collections: their images answer prompts of their own prompt set,
-- and which images they hold never changes.

CREATE OR REPLACE FUNCTION collected_check_prompts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    -- Once a statement, whatever it inserts.
    SELECT given.position INTO wrong
    FROM given
    JOIN images_imagecollection collection ON collection.id = given.collection_id
    LEFT JOIN promptsets_prompt prompt ON prompt.id = given.prompt_id
    WHERE prompt.prompt_set_id IS DISTINCT FROM collection.prompt_set_id
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'image % has no prompt of its collection''s prompt set', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'collected_prompt_of_its_set';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION collected_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'which images a collection holds never changes'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'collection_is_frozen';
END
$$;

CREATE OR REPLACE TRIGGER collected_prompt_of_its_set
    AFTER INSERT ON images_collectedimage REFERENCING NEW TABLE AS given
    FOR EACH STATEMENT EXECUTE FUNCTION collected_check_prompts();
CREATE OR REPLACE TRIGGER collected_is_frozen
    BEFORE UPDATE ON images_collectedimage
    FOR EACH ROW EXECUTE FUNCTION collected_refuse_change();
CREATE OR REPLACE TRIGGER collection_is_frozen
    BEFORE UPDATE ON images_imagecollection
    FOR EACH ROW
    WHEN ((OLD.name, OLD.sha256, OLD.image_count, OLD.prompt_set_id)
        IS DISTINCT FROM (NEW.name, NEW.sha256, NEW.image_count, NEW.prompt_set_id))
    EXECUTE FUNCTION collected_refuse_change();
