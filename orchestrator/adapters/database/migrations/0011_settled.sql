-- When it was known how a machine's start went, for what is learnt from the newest ones.

CREATE INDEX instance_settled ON instance (COALESCE(ready_at, given_up_at), id) WHERE ordered_at IS NOT NULL;
