-- The ingester's database. Numbers of readings, streams and terms are 64-bit integers, times are microseconds since 1970.
-- The views at the end are for people; programs read the tables. More of both is in schema/: one file for each part that came
-- with a later layout, or changed with it.

-- One row: what the ingester as a whole has done.
CREATE TABLE state (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    term      INTEGER NOT NULL DEFAULT 0,
    run       INTEGER NOT NULL DEFAULT 0,     -- the random number of the run that leads, 64 bits, signed here
    commit_id INTEGER NOT NULL DEFAULT 0,     -- the last commit of that run
    stored    INTEGER NOT NULL DEFAULT 0,     -- what that commit stored ...
    dead      INTEGER NOT NULL DEFAULT 0,     -- ... and refused for good
    stored_total INTEGER NOT NULL DEFAULT 0,  -- readings stored since this file was made
    identity  TEXT NOT NULL DEFAULT '',       -- random: what tells this file from any other
    plate_key TEXT NOT NULL DEFAULT ''        -- what licence plates are hashed with: 64 random hexadecimal digits, a secret
) STRICT;
INSERT INTO state (id, identity, plate_key) VALUES (1, lower(hex(randomblob(8))), lower(hex(randomblob(32))));

CREATE TABLE agent (
    id           INTEGER PRIMARY KEY,
    region       TEXT NOT NULL,
    name         TEXT NOT NULL,
    -- The newest status; heard_us is null while none was heard.
    heard_us     INTEGER,
    online       INTEGER NOT NULL DEFAULT 0,
    opening      INTEGER NOT NULL DEFAULT 0,
    connect      INTEGER NOT NULL DEFAULT 0,
    said_us      INTEGER NOT NULL DEFAULT 0,
    queued       INTEGER NOT NULL DEFAULT 0,
    queued_bytes INTEGER NOT NULL DEFAULT 0,
    oldest_us    INTEGER,
    dropped      INTEGER NOT NULL DEFAULT 0,
    UNIQUE (region, name)
) STRICT;

-- What is written of each stream. Kept for ever: it is what makes an old copy of a queue file harmless when it comes back.
CREATE TABLE stream (
    id          INTEGER PRIMARY KEY,
    agent       INTEGER NOT NULL REFERENCES agent (id),
    bits        INTEGER NOT NULL,             -- the stream's 64 random bits, signed here
    progressed  INTEGER NOT NULL DEFAULT 0,   -- 0 while only readings or dead letters name the stream
    through     INTEGER NOT NULL DEFAULT 0,
    ranges      TEXT NOT NULL DEFAULT '[]',   -- written above that: [[first,last],...]
    lost        INTEGER NOT NULL DEFAULT 0,   -- how many numbers the gaps of this stream have
    UNIQUE (agent, bits)
) STRICT;

-- Numbers that will never come: dropped by a full queue, or damaged. Neighbours are merged.
CREATE TABLE gap (
    stream   INTEGER NOT NULL REFERENCES stream (id),
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    noted_us INTEGER NOT NULL,
    PRIMARY KEY (stream, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
    id     INTEGER PRIMARY KEY,
    agent  INTEGER NOT NULL REFERENCES agent (id),
    kind   TEXT NOT NULL,
    sensor TEXT NOT NULL,
    UNIQUE (agent, kind, sensor)
) STRICT;

-- The points, in the order of their arrival: a key by series or time would cost twenty times as much.
CREATE TABLE reading (
    id     INTEGER PRIMARY KEY,
    ts_us  INTEGER NOT NULL,
    clock  INTEGER NOT NULL,
    series INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    fields TEXT NOT NULL,                     -- a JSON object
    flags  INTEGER NOT NULL DEFAULT 0         -- 1: a value cannot be true; 2: its time was moved; 4: its clock was not set
) STRICT;

-- Of whom and what there are aggregates. A region's has an empty agent.
CREATE TABLE average (
    id     INTEGER PRIMARY KEY,
    region TEXT NOT NULL,
    agent  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    field  TEXT NOT NULL,
    UNIQUE (region, agent, kind, field)
) STRICT;

CREATE TABLE aggregate (
    average     INTEGER NOT NULL REFERENCES average (id),
    width_s     INTEGER NOT NULL,
    start_us    INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    sum         REAL NOT NULL,
    sum_squares REAL NOT NULL,
    min         REAL NOT NULL,
    max         REAL NOT NULL,
    PRIMARY KEY (average, width_s, start_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
    id         INTEGER PRIMARY KEY,
    agent      INTEGER NOT NULL REFERENCES agent (id),
    key        TEXT NOT NULL,
    term       INTEGER NOT NULL,
    ingester   TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    ttl_ms     INTEGER NOT NULL,
    body       TEXT NOT NULL,                 -- JSON
    decided_us INTEGER NOT NULL,
    fate       TEXT NOT NULL,                 -- outstanding, applied, superseded, refused, rolled_back, replaced or expired
    reason     TEXT,                          -- why it is not in force, as the agent said it
    UNIQUE (agent, key, term, ingester, seq)
) STRICT;
CREATE INDEX decision_history ON decision (agent, key, id);
CREATE INDEX decision_outstanding ON decision (agent, key) WHERE fate = 'outstanding';

-- Readings that the database refuses for good.
CREATE TABLE dead_letter (
    id       INTEGER PRIMARY KEY,
    at_us    INTEGER NOT NULL,
    stream   INTEGER NOT NULL REFERENCES stream (id),
    seq      INTEGER NOT NULL,
    clock    INTEGER NOT NULL,
    reason   TEXT NOT NULL,                   -- refused or unresolved
    detail   TEXT NOT NULL,                   -- what the database said
    reading  TEXT NOT NULL                    -- the reading as JSON
) STRICT;

CREATE TABLE dead_count (
    reason TEXT PRIMARY KEY,
    n      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW averages AS
    SELECT strftime('%Y-%m-%dT%H:%M:%SZ', g.start_us / 1000000, 'unixepoch') AS time,
           v.region, v.agent, v.kind, v.field, g.width_s, g.n, g.sum / g.n AS mean, g.min, g.max
    FROM aggregate g JOIN average v ON v.id = g.average;

CREATE VIEW decisions AS
    SELECT strftime('%Y-%m-%dT%H:%M:%SZ', d.decided_us / 1000000, 'unixepoch') AS time,
           a.region, a.name AS agent, d.key, d.term, d.ingester, d.seq, d.ttl_ms, d.body, d.fate
    FROM decision d JOIN agent a ON a.id = d.agent;

CREATE VIEW dead_letters AS
    SELECT strftime('%Y-%m-%dT%H:%M:%SZ', d.at_us / 1000000, 'unixepoch') AS time,
           a.region, a.name AS agent, printf('%016x', t.bits) AS stream, d.seq, d.reason, d.detail, d.reading
    FROM dead_letter d JOIN stream t ON t.id = d.stream JOIN agent a ON a.id = t.agent;

CREATE VIEW gaps AS
    SELECT a.region, a.name AS agent, printf('%016x', t.bits) AS stream, g.first, g.last, g.last - g.first + 1 AS readings
    FROM gap g JOIN stream t ON t.id = g.stream JOIN agent a ON a.id = t.agent;
