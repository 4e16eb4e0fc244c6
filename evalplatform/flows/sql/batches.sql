-- What a trainer asked stays as it was asked, and a batch that has ended stays ended.

CREATE OR REPLACE FUNCTION flows_refuse_other_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a batch keeps what was asked, and does not begin again'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'flow_batch_stays';
END
$$;
CREATE OR REPLACE TRIGGER flow_batch_stays BEFORE UPDATE ON flows_flowbatch
    FOR EACH ROW WHEN (
        (OLD.flow_id, OLD.number, OLD.panels, OLD.deadline_at)
            IS DISTINCT FROM (NEW.flow_id, NEW.number, NEW.panels, NEW.deadline_at)
        OR (OLD.status IN ('done', 'late', 'closed', 'failed') AND OLD.status <> NEW.status)
    )
    EXECUTE FUNCTION flows_refuse_other_batch();
