-- What a detector said of a sample stays as it is.
CREATE OR REPLACE FUNCTION safety_refuse_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a stored safety check is never changed or deleted'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'safety_check_immutable';
END
$$;
CREATE OR REPLACE TRIGGER safety_check_immutable BEFORE UPDATE OR DELETE ON safety_safetycheck
    FOR EACH ROW EXECUTE FUNCTION safety_refuse_check_change();
