-- The message that is under way to a webhook, so that every attempt carries the same changes under
-- the same id: it reaches to until. failing_since, reason: of the attempts that failed in a row.
ALTER TABLE webhooks ADD COLUMN until INTEGER;
ALTER TABLE webhooks ADD COLUMN failing_since INTEGER;
ALTER TABLE webhooks ADD COLUMN reason TEXT;
ALTER TABLE webhooks ADD COLUMN delivered_at INTEGER;

-- The message that a dead letter was part of: it is sent again under the same id.
ALTER TABLE dead_letters ADD COLUMN message TEXT NOT NULL DEFAULT '';
