-- When a machine had made its first picture: only then is it known how its start went. Before, each had by the time when
-- it was ready.

ALTER TABLE instance ADD COLUMN proved_at INTEGER;

UPDATE instance SET proved_at = ready_at WHERE ready_at IS NOT NULL;

DROP INDEX instance_settled;
CREATE INDEX instance_settled ON instance (COALESCE(proved_at, given_up_at), id) WHERE ordered_at IS NOT NULL;
