-- Who changed what: every change of a table that has the trigger becomes a row here, whoever makes
-- it and however. evalplatform.core.acting says who is acting; nobody said: the site itself.

CREATE OR REPLACE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
-- Arguments: kind; what names a row r; its project; the columns that are written down.
DECLARE
    old_row jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) END;
    new_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) END;
    actor jsonb := coalesce(nullif(current_setting('evalplatform.actor', true), ''), '{}')::jsonb;
    columns text[];
    hidden jsonb := '"hidden"';
    label text;
    project bigint;
BEGIN
    SELECT array_agg(each) INTO columns FROM unnest(string_to_array(TG_ARGV[3], ' ')) each
    WHERE TG_OP <> 'UPDATE' OR old_row -> each IS DISTINCT FROM new_row -> each;
    IF columns IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        'SELECT %s, %s FROM jsonb_populate_record(NULL::%I, $1) r',
        TG_ARGV[1], TG_ARGV[2], TG_TABLE_NAME
    ) INTO label, project USING coalesce(new_row, old_row);
    INSERT INTO accounts_auditentry
        (at, actor, user_id, via, address, action, kind, label, object_id, project_id, before, after)
    SELECT
        now(), coalesce(actor ->> 'who', 'the site'), (actor ->> 'user')::bigint,
        coalesce(actor ->> 'via', ''), nullif(actor ->> 'address', '')::inet,
        CASE TG_OP WHEN 'INSERT' THEN 'made' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
        TG_ARGV[0], coalesce(label, ''), coalesce(new_row, old_row) ->> 'id', project,
        jsonb_object_agg(each, CASE each WHEN 'password' THEN hidden ELSE old_row -> each END)
            FILTER (WHERE old_row IS NOT NULL),
        jsonb_object_agg(each, CASE each WHEN 'password' THEN hidden ELSE new_row -> each END)
            FILTER (WHERE new_row IS NOT NULL)
    FROM unnest(columns) each;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was written down is neither changed nor removed'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_is_append_only';
END
$$;

CREATE OR REPLACE TRIGGER audit_is_append_only
    BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();

CREATE OR REPLACE TRIGGER audit_project
    AFTER INSERT OR UPDATE OR DELETE ON accounts_project
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'project', 'r.name', 'r.id', 'name upload_quota_bytes');
CREATE OR REPLACE TRIGGER audit_membership
    AFTER INSERT OR UPDATE OR DELETE ON accounts_membership
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'membership', '(SELECT username FROM accounts_user WHERE id = r.user_id)', 'r.project_id',
        'role');
CREATE OR REPLACE TRIGGER audit_user
    AFTER INSERT OR UPDATE OF username, is_active, is_staff, is_superuser, role, password OR DELETE
    ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'user', 'r.username', 'NULL::bigint',
        'username is_active is_staff is_superuser role password');
CREATE OR REPLACE TRIGGER audit_token
    AFTER INSERT OR UPDATE OF label, revoked_at OR DELETE ON accounts_apitoken
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'API token', 'r.prefix', 'NULL::bigint',
        'user_id label scopes project_id expires_at revoked_at');
