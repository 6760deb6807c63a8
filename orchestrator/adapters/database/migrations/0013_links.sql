-- How fast machines really downloaded: rate_bps of a step that has ended is what its link was measured at.

CREATE INDEX stage_link ON stage (ended_at, instance_id, step) WHERE rate_bps > 0 AND ended_at IS NOT NULL;
