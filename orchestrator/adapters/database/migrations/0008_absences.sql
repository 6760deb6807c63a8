-- When a machine that is not listed any more stopped costing money at the latest; and all rows that a cloud's name of a
-- machine ever had, for those that turn up again after their bill was closed.

ALTER TABLE instance ADD COLUMN missed_at INTEGER;

CREATE INDEX instance_ref ON instance (cloud, ref, created_at, id) WHERE ref IS NOT NULL;
