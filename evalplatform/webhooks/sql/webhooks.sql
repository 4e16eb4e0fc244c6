-- The outbox: events are written down in the transaction of the change that they tell of.

CREATE OR REPLACE FUNCTION webhook_tell(project bigint, event text, subject text, data jsonb)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO webhooks_webhookdelivery
        (endpoint_id, message_id, event, subject, payload, status, attempts, next_attempt_at, answer,
         created_at)
    SELECT e.id, 'msg_' || replace(gen_random_uuid()::text, '-', ''), $2, left($3, 80),
        jsonb_build_object('type', $2, 'timestamp', now(), 'data', $4), 'pending', 0, now(), '', now()
    FROM webhooks_webhookendpoint e
    WHERE e.project_id = $1 AND e.is_active AND $2 = ANY (e.events)
    ON CONFLICT DO NOTHING
$$;

CREATE OR REPLACE FUNCTION webhook_of_campaign() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM webhook_tell(
        NEW.project_id,
        CASE WHEN NEW.status = 'open' AND OLD.status = 'paused' THEN 'campaign.resumed'
            WHEN NEW.status = 'open' THEN 'campaign.opened'
            ELSE 'campaign.' || NEW.status END,
        NEW.slug,
        jsonb_build_object('campaign', NEW.slug, 'status', NEW.status,
            'protocol_sha256', NEW.protocol_sha256)
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER webhook_campaign
    AFTER UPDATE OF status ON campaigns_campaign FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status IN ('open', 'paused', 'closed'))
    EXECUTE FUNCTION webhook_of_campaign();

CREATE OR REPLACE FUNCTION webhook_of_batch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    request record;
BEGIN
    SELECT name, project_id INTO request FROM generation_generationrequest WHERE id = NEW.request_id;
    PERFORM webhook_tell(
        request.project_id, 'batch.failed', request.name,
        jsonb_build_object('generation', request.name, 'batch', NEW.id, 'error', left(NEW.error, 500))
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER webhook_batch
    AFTER UPDATE OF status ON generation_generationbatch FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status = 'failed')
    EXECUTE FUNCTION webhook_of_batch();

CREATE OR REPLACE FUNCTION webhook_of_shard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    request record;
BEGIN
    SELECT name, project_id INTO request FROM curation_scoringrequest WHERE id = NEW.request_id;
    PERFORM webhook_tell(
        request.project_id, 'scoring.failed', request.name,
        jsonb_build_object('scoring', request.name, 'number', NEW.number,
            'error', left(NEW.error, 500))
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER webhook_shard
    AFTER UPDATE OF status ON curation_scoringshard FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status = 'failed')
    EXECUTE FUNCTION webhook_of_shard();

CREATE OR REPLACE FUNCTION webhook_of_upload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM webhook_tell(
        NEW.project_id,
        CASE NEW.status WHEN 'verified' THEN 'checkpoint.verified' ELSE 'checkpoint.refused' END,
        NEW.checkpoint_name,
        jsonb_build_object('upload', NEW.id, 'file_name', NEW.file_name,
            'checkpoint', (SELECT name FROM checkpoints_checkpoint WHERE id = NEW.checkpoint_id),
            'reason', left(NEW.reason, 500))
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER webhook_upload
    AFTER UPDATE OF status ON checkpoints_upload FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status IN ('verified', 'rejected'))
    EXECUTE FUNCTION webhook_of_upload();

CREATE OR REPLACE FUNCTION webhook_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM webhook_tell(
        NEW.project_id, 'job.' || NEW.status, NEW.kind,
        jsonb_build_object('job', NEW.public_id, 'kind', NEW.kind, 'result', NEW.result,
            'reason', left(NEW.reason, 500))
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER webhook_job
    AFTER UPDATE OF status ON api_job FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status IN ('done', 'failed'))
    EXECUTE FUNCTION webhook_of_job();

CREATE OR REPLACE FUNCTION webhook_of_export() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    campaign record;
BEGIN
    SELECT slug, project_id INTO campaign FROM campaigns_campaign WHERE id = NEW.campaign_id;
    PERFORM webhook_tell(
        campaign.project_id,
        CASE NEW.state WHEN 'done' THEN 'export.ready' ELSE 'export.failed' END,
        campaign.slug,
        jsonb_build_object('campaign', campaign.slug, 'export', NEW.public_id, 'kind', NEW.kind,
            'file_name', NEW.file_name, 'size_bytes', NEW.size_bytes, 'sha256', NEW.sha256,
            'removed_after', NEW.removed_after, 'error', left(NEW.error, 500))
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER webhook_export
    AFTER UPDATE OF state ON exports_export FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state IN ('done', 'failed'))
    EXECUTE FUNCTION webhook_of_export();

CREATE OR REPLACE FUNCTION webhook_of_flow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    flow record;
BEGIN
    SELECT slug, project_id INTO flow FROM flows_flow WHERE id = NEW.flow_id;
    PERFORM webhook_tell(
        flow.project_id, 'flow.' || NEW.status, flow.slug,
        jsonb_build_object('flow', flow.slug, 'batch', NEW.number, 'status', NEW.status,
            'campaign', (SELECT slug FROM campaigns_campaign WHERE id = NEW.campaign_id),
            'reason', left(NEW.reason, 500))
    );
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER webhook_flow
    AFTER UPDATE OF status ON flows_flowbatch FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status
        AND NEW.status IN ('done', 'late', 'closed', 'failed'))
    EXECUTE FUNCTION webhook_of_flow();

CREATE OR REPLACE TRIGGER audit_webhook
    AFTER INSERT OR UPDATE OF url, events, is_active, secret OR DELETE ON webhooks_webhookendpoint
    FOR EACH ROW EXECUTE FUNCTION audit_row(
        'webhook', 'r.url', 'r.project_id', 'url events is_active');
