-- No slot beyond the criterion's k, and no order of another length than its set: the parts of
-- "exactly k" and "one order an image" that a CHECK cannot say. Slots come by the hundred thousand
-- when a campaign opens, so inserting looks once at all that a statement added.
CREATE OR REPLACE FUNCTION annotation_refuse_slots() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    -- The counts are looked up one by one: of rows that were just written there are no statistics,
    -- by which a join would be planned well.
    SELECT added.slot, criterion.k, cardinality(added."order") AS shown, (
        SELECT count(*) FROM campaigns_shownimage image WHERE image.image_set_id = item.image_set_id
    ) AS there INTO wrong
    FROM added
    JOIN LATERAL (
        SELECT i.image_set_id, i.criterion_id FROM campaigns_item i WHERE i.id = added.item_id
        OFFSET 0
    ) item ON true
    JOIN LATERAL (
        SELECT c.k FROM campaigns_criterion c WHERE c.id = item.criterion_id OFFSET 0
    ) criterion ON true
    WHERE added.slot > criterion.k OR cardinality(added."order") <> (
        SELECT count(*) FROM campaigns_shownimage image WHERE image.image_set_id = item.image_set_id
    )
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF wrong.slot > wrong.k THEN
        RAISE EXCEPTION 'slot % exceeds the % annotators of this criterion', wrong.slot, wrong.k
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_slot_within_k';
    END IF;
    RAISE EXCEPTION 'an order of % places for a set of % images', wrong.shown, wrong.there
        USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_order_of_its_set';
END
$$;
CREATE OR REPLACE TRIGGER assignment_slot_within_k AFTER INSERT ON annotation_assignment
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION annotation_refuse_slots();

-- A slot stays what it was made as: only who has it changes.
CREATE OR REPLACE FUNCTION annotation_refuse_another_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a slot keeps its item, number and order'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'assignment_slot_within_k';
END
$$;
CREATE OR REPLACE TRIGGER assignment_slot_stays BEFORE UPDATE OF slot, item_id, "order"
    ON annotation_assignment FOR EACH ROW
    WHEN (OLD.slot IS DISTINCT FROM NEW.slot OR OLD.item_id <> NEW.item_id
        OR OLD."order" <> NEW."order")
    EXECUTE FUNCTION annotation_refuse_another_slot();
