-- Where a job is to be made and where not, what an API calls its running attempt, and the LoRA that its person added.

ALTER TABLE job ADD COLUMN bridge_ref TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN avoids TEXT NOT NULL DEFAULT '[]';
ALTER TABLE job ADD COLUMN prefers TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN may_remake INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN own_lora TEXT;


ALTER TABLE session ADD COLUMN bridged_job TEXT;

CREATE INDEX session_bridged ON session (id) WHERE bridged_job IS NOT NULL AND state <> 'CLOSED';

CREATE INDEX booking_of_job ON booking (job_id, amount) WHERE job_id IS NOT NULL;
