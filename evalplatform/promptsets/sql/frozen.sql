-- What a prompt set holds never changes: campaigns, samples and votes stand on it. Other texts or
-- other tags are another version.

CREATE OR REPLACE FUNCTION promptset_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'which prompts and tags a prompt set holds never changes'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'prompt_set_is_frozen';
END
$$;

CREATE OR REPLACE TRIGGER prompt_is_frozen
    BEFORE UPDATE ON promptsets_prompt
    FOR EACH ROW EXECUTE FUNCTION promptset_refuse_change();
CREATE OR REPLACE TRIGGER promptset_is_frozen
    BEFORE UPDATE ON promptsets_promptset
    FOR EACH ROW
    WHEN ((OLD.name, OLD.version, OLD.sha256) IS DISTINCT FROM (NEW.name, NEW.version, NEW.sha256))
    EXECUTE FUNCTION promptset_refuse_change();
