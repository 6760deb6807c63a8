-- Times are microseconds since 1970 in UTC, money is micro-dollars, nested values are JSON.
-- Names that PostgreSQL reserves (user, values) are avoided.

CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    state TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    last_request_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    keep_until INTEGER,
    due_at INTEGER,
    tries INTEGER NOT NULL,
    released_at INTEGER,
    idle_since INTEGER
) STRICT;

CREATE UNIQUE INDEX session_active ON session (user_id) WHERE state IN ('OPEN', 'WARMING', 'WARM');
CREATE INDEX session_due ON session (due_at, id) WHERE state <> 'CLOSED';
CREATE INDEX session_not_closed ON session (opened_at, id) WHERE state <> 'CLOSED';

CREATE TABLE instance (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT REFERENCES session (id),
    user_id TEXT NOT NULL,
    workflow TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state_since INTEGER NOT NULL,
    version INTEGER NOT NULL,
    cloud TEXT,
    launch_key TEXT UNIQUE,
    offer TEXT,
    machine TEXT, -- machine and host repeat what the offer says, for marks
    host TEXT,
    ref TEXT,
    ordered_at INTEGER,
    running_at INTEGER,
    ready_at INTEGER,
    ended_at INTEGER,
    end_reason TEXT,
    reserved INTEGER NOT NULL,
    booked INTEGER NOT NULL,
    bytes_down INTEGER NOT NULL,
    absences INTEGER NOT NULL,
    address TEXT,
    host_key TEXT,
    comfyui_port INTEGER NOT NULL
) STRICT;

CREATE INDEX instance_state ON instance (state, created_at, id);
CREATE INDEX instance_ready ON instance (session_id, state) WHERE state = 'READY';
CREATE INDEX instance_live ON instance (session_id, created_at, id) WHERE state <> 'TERMINATED';
CREATE INDEX instance_given_up ON instance (session_id) WHERE end_reason IS NOT NULL;
CREATE INDEX instance_of_cloud ON instance (cloud, created_at, id) WHERE state NOT IN ('PLANNED', 'TERMINATED');
CREATE INDEX instance_mark ON instance (state_since) WHERE end_reason IS NOT NULL AND machine IS NOT NULL;
CREATE INDEX instance_got_ready ON instance (cloud, ready_at, id) WHERE ready_at IS NOT NULL;
CREATE INDEX instance_reserved ON instance (user_id, reserved, booked) WHERE state <> 'TERMINATED';

CREATE TABLE stage (
    instance_id TEXT NOT NULL REFERENCES instance (id),
    step TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    bytes_done INTEGER NOT NULL,
    bytes_total INTEGER NOT NULL,
    rate_bps INTEGER NOT NULL,
    PRIMARY KEY (instance_id, step)
) STRICT;

CREATE TABLE job (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES session (id),
    surface TEXT NOT NULL,
    origin TEXT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    parameters TEXT NOT NULL,
    state TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    version INTEGER NOT NULL,
    source TEXT,
    started_at INTEGER,
    ended_at INTEGER,
    attempts INTEGER NOT NULL,
    instance_id TEXT REFERENCES instance (id),
    bridge TEXT NOT NULL,
    prompt_id TEXT,
    images TEXT NOT NULL,
    image_count INTEGER NOT NULL, -- the length of images, to be summed
    served TEXT,
    failure TEXT,
    acknowledged_at INTEGER
) STRICT;

CREATE INDEX job_unfinished ON job (session_id, submitted_at, id) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX job_unfinished_of_user ON job (user_id, state) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX job_queued ON job (submitted_at, id) WHERE state = 'QUEUED';
CREATE INDEX job_next ON job (session_id, submitted_at, id) WHERE state = 'QUEUED';
CREATE INDEX job_running ON job (submitted_at, id) WHERE state = 'RUNNING';
CREATE INDEX job_running_on ON job (instance_id) WHERE state = 'RUNNING';
CREATE INDEX job_untold ON job (ended_at, id) WHERE ended_at IS NOT NULL AND acknowledged_at IS NULL;
CREATE INDEX job_succeeded ON job (ended_at, image_count) WHERE state = 'SUCCEEDED';
CREATE INDEX job_newest ON job (submitted_at, id);
CREATE INDEX job_newest_of_user ON job (user_id, submitted_at, id);

CREATE TABLE booking (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    cloud TEXT NOT NULL,
    instance_id TEXT REFERENCES instance (id),
    job_id TEXT REFERENCES job (id),
    amount INTEGER NOT NULL
) STRICT;

CREATE INDEX booking_at ON booking (at, amount);

-- The sums of booking by UTC day (days since 1970): caps are checked at each request, and a month has many bookings.
CREATE TABLE booked_day (
    day INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    cloud TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (day, user_id, cloud)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    reason TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;

CREATE INDEX event_subject ON event (subject, id);
CREATE INDEX event_at ON event (at);

CREATE TABLE notice (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id TEXT,
    key TEXT NOT NULL,
    parameters TEXT NOT NULL,
    topic TEXT NOT NULL,
    at INTEGER NOT NULL,
    acknowledged_at INTEGER
) STRICT;

CREATE INDEX notice_topic ON notice (topic, at);
CREATE INDEX notice_untold ON notice (id) WHERE acknowledged_at IS NULL;

CREATE TABLE fact (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
