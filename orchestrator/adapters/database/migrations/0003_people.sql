-- What people keep beside their jobs.

CREATE TABLE preset (
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    options TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;

-- A forgotten job has neither words nor pictures; its row stays because the ledger refers to it.
ALTER TABLE job ADD COLUMN forgotten_at INTEGER;

CREATE TABLE blocked_word (
    place TEXT NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (place, word)
) STRICT, WITHOUT ROWID;
