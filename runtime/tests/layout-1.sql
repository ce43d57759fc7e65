-- A queue as the version before wrote it: layout 1, without seals.
PRAGMA page_size = 2048;

CREATE TABLE readings (
    seq   INTEGER PRIMARY KEY,
    ts_us INTEGER NOT NULL,
    body  TEXT    NOT NULL
) STRICT;

CREATE TABLE segment (
    first  INTEGER PRIMARY KEY,
    stream TEXT    NOT NULL,
    clock  INTEGER NOT NULL
) STRICT;

CREATE TABLE gap (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL
) STRICT;

CREATE TABLE owner (
    agent TEXT NOT NULL
) STRICT;

CREATE TABLE position (
    source   TEXT PRIMARY KEY,
    position TEXT NOT NULL
) STRICT;

CREATE TABLE decision (
    key         TEXT    PRIMARY KEY,
    received_us INTEGER NOT NULL,
    decision    TEXT    NOT NULL
) STRICT;

CREATE TABLE counters (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    opening  INTEGER NOT NULL,
    next     INTEGER NOT NULL,
    gone     INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    dropped  INTEGER NOT NULL
) STRICT;

INSERT INTO counters (id, opening, next, gone, readings, bytes, dropped) VALUES (1, 0, 1, 0, 0, 0, 0);
PRAGMA application_id = 1181706065;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
INSERT INTO readings VALUES (2, 5, '{"ts_us":5,"sensor":"s","kind":"road","fields":{"speed_kmh":1}}');
INSERT INTO readings VALUES (3, 6, '{"ts_us":6,"sensor":"s","kind":"road","fields":{"speed_kmh":2}}');
INSERT INTO segment VALUES (1, '0000000000000abc', 7);
INSERT INTO gap VALUES (1, 1);
INSERT INTO position VALUES ('csv:a', '17');
UPDATE counters SET opening = 3, next = 4, gone = 1, readings = 2, bytes = 126, dropped = 1;
