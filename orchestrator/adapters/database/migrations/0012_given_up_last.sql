-- The machine that a session lost last is looked for whenever a card may have changed: found at once, also after many.

DROP INDEX instance_given_up;
CREATE INDEX instance_given_up ON instance (session_id, COALESCE(ended_at, state_since), id)
WHERE end_reason IS NOT NULL AND state IN ('TERMINATING', 'TERMINATED');
