-- What must be done at most once, by a name of the bot's: whoever writes the row does it.

CREATE TABLE claim (
    name TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX claim_at ON claim (at);
