-- An invitation lets somebody into its own campaign alone.
ALTER TABLE annotation_enrolment DROP CONSTRAINT IF EXISTS enrolment_by_an_invitation_to_it;
ALTER TABLE annotation_invitation DROP CONSTRAINT IF EXISTS invitation_and_campaign;
ALTER TABLE annotation_invitation
    ADD CONSTRAINT invitation_and_campaign UNIQUE (id, campaign_id);
ALTER TABLE annotation_enrolment
    ADD CONSTRAINT enrolment_by_an_invitation_to_it
    FOREIGN KEY (invitation_id, campaign_id) REFERENCES annotation_invitation (id, campaign_id);
