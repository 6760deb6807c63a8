-- What accounts are called where they speak, so that an admin can ask for somebody by name.

CREATE TABLE account_name (
    account TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    folded TEXT NOT NULL -- to be found however it is typed
) STRICT, WITHOUT ROWID;

CREATE INDEX account_name_folded ON account_name (folded, account);

CREATE INDEX link_code_expired ON link_code (expires_at);
