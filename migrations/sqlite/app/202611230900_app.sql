-- What no journal can give back.

CREATE TABLE user (
    name     TEXT PRIMARY KEY,
    hash     TEXT NOT NULL,
    role     INTEGER NOT NULL,
    carrier  INTEGER,
    disabled INTEGER NOT NULL DEFAULT 0,
    created  INTEGER NOT NULL
) STRICT;

-- By the SHA-256 of the token: who reads this file cannot log in with it.
CREATE TABLE session (
    token_hash BLOB PRIMARY KEY,
    user       TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_of_user ON session (user);
CREATE INDEX session_by_expiry ON session (expires);

CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
