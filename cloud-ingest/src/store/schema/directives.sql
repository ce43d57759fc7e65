
-- What operators decided, for an agent or (agent empty) for all of a region. What ended is kept for a while.
CREATE TABLE directive (
    id       INTEGER PRIMARY KEY,             -- its number: when it was set, or one more than the one before
    region   TEXT NOT NULL,
    agent    TEXT NOT NULL,
    key      TEXT NOT NULL,
    body     TEXT NOT NULL,                   -- JSON
    set_by   TEXT,                            -- the name of a token
    set_us   INTEGER NOT NULL,
    until_us INTEGER,                         -- null: until it is cleared
    ended_us INTEGER,                         -- null while it is in force
    ended    TEXT,                            -- replaced, cleared or expired
    ended_by TEXT
) STRICT;
CREATE INDEX directive_in_force ON directive (region, agent, key) WHERE ended_us IS NULL;
