-- When a machine was given up: a card's cost and its machine number go by that, not by when its end was proved.

ALTER TABLE instance ADD COLUMN given_up_at INTEGER;

UPDATE instance SET given_up_at = COALESCE(ended_at, state_since) WHERE state IN ('TERMINATING', 'TERMINATED');

CREATE INDEX instance_lost ON instance (session_id, given_up_at, id) WHERE ordered_at IS NOT NULL;
