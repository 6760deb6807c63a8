-- One person with several accounts, and what they chose to be told.

-- An account that is in no row is a person by itself.
CREATE TABLE account (
    account TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    linked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX account_of_user ON account (user_id, account);

-- The hash of a code that is good for one use.
CREATE TABLE link_code (
    code_hash TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX link_code_of_user ON link_code (user_id);

CREATE TABLE profile (
    user_id TEXT NOT NULL PRIMARY KEY,
    choices TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX notice_of_user ON notice (user_id);
CREATE INDEX booking_of_user ON booking (user_id);
CREATE INDEX booked_day_of_user ON booked_day (user_id, day, cloud);
CREATE INDEX session_of_user ON session (user_id, id);
CREATE INDEX instance_of_user ON instance (user_id, id);
