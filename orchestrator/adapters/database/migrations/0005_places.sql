-- What admins chose for a guild, a group or a page.

CREATE TABLE place_setting (
    place TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (place, name)
) STRICT, WITHOUT ROWID;
