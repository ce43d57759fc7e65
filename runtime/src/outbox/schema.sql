-- The queue of an agent: what was accepted and is not acknowledged yet. A tour of Fogline starts here.
--
-- Look into a queue, running or not:  sqlite3 -readonly queue.db 'SELECT * FROM counters'
--
-- One transaction per commit of the agent changes these tables together, so after a crash they agree with each other:
-- readings are in the queue with their source's position, or neither is.
--
-- Each row has a seal, by which damage is found before it does harm (seal.rs). Rows of a file that an earlier version made
-- may have none: they are taken as they are.

-- A row is a reading: its sequence number, its time (microseconds since the Unix epoch) and itself as JSON, just as it
-- will travel. Numbers come from counters.next and are never given twice (this does what AUTOINCREMENT would do, in the
-- page that each commit writes anyway). Rows up to counters.gone are already freed or dropped, and only wait to be deleted,
-- many at a time: they count for nothing. The seal names stream and clock too, so that a page of this table says all
-- about its rows when the others are lost.
CREATE TABLE readings (
    seq   INTEGER PRIMARY KEY,
    ts_us INTEGER NOT NULL,
    body  TEXT    NOT NULL,
    seal  BLOB              -- 4 bytes of checksum, 8 of stream, 2 of clock
) STRICT;

-- From row `first` on (until the next segment) rows belong to this stream (16 hexadecimal digits) and clock (0 to 999).
-- Where the agent's clock was not set when they were taken, `stamps` says as JSON what that clock was, or what became of
-- their times: rows are not rewritten, their times are moved when they are loaded.
CREATE TABLE segment (
    first  INTEGER PRIMARY KEY,
    stream TEXT    NOT NULL,
    clock  INTEGER NOT NULL,
    seal   INTEGER,
    stamps TEXT
) STRICT;

-- Numbers that will never be sent, because a bound made the queue drop them or damage took them, and of which the ingester
-- does not know yet. Gaps of one segment neither touch nor overlap; none spans two segments.
CREATE TABLE gap (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL,
    seal  INTEGER
) STRICT;

-- Gaps of which the ingester knows, above a reading that still waits: these numbers are missing rightly.
CREATE TABLE told (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL,
    seal  INTEGER
) STRICT;

-- Whose readings these are, "region/agent"; at most one row. The ingester tells streams apart by their agent.
CREATE TABLE owner (
    agent TEXT NOT NULL,
    seal  INTEGER
) STRICT;

-- How far each source was read, in its own words; committed with the readings up to there, whose last number is `seq`.
CREATE TABLE position (
    source   TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    seq      INTEGER NOT NULL DEFAULT 0,
    seal     INTEGER
) STRICT;

-- The decision in force per key (a speed limit, for example), so that it survives a restart of the agent.
CREATE TABLE decision (
    key         TEXT    PRIMARY KEY,
    received_us INTEGER NOT NULL,
    decision    TEXT    NOT NULL,
    seal        INTEGER
) STRICT;

-- What would otherwise have to be counted: one row, changed by every transaction.
CREATE TABLE counters (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    opening    INTEGER NOT NULL,            -- how often the file was opened
    next       INTEGER NOT NULL,            -- the number of the next reading
    gone       INTEGER NOT NULL,            -- readings up to this number are freed or dropped
    readings   INTEGER NOT NULL,            -- rows above it
    bytes      INTEGER NOT NULL,            -- bytes of their bodies
    dropped    INTEGER NOT NULL,            -- readings dropped since the file was made
    damaged    INTEGER NOT NULL DEFAULT 0,  -- readings that damage took since then
    damaged_us INTEGER NOT NULL DEFAULT 0,  -- when damage was last found; 0: never
    seal       INTEGER
) STRICT;

INSERT INTO counters (id, opening, next, gone, readings, bytes, dropped) VALUES (1, 0, 1, 0, 0, 0, 0);
