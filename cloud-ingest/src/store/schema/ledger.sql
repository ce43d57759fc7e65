-- The ledger of the garages: a row for each car that drove in, and its invoice once it has left. The only place that keeps plates.
CREATE TABLE stay (
    id           INTEGER PRIMARY KEY,
    agent        INTEGER NOT NULL REFERENCES agent (id),
    garage       TEXT NOT NULL,
    stream       INTEGER NOT NULL REFERENCES stream (id),  -- the reading that said that it drove in
    seq          INTEGER NOT NULL,
    plate        TEXT NOT NULL,
    plate_hash   TEXT NOT NULL,
    entered_us   INTEGER NOT NULL,
    tariff_cents INTEGER NOT NULL,            -- of a started hour
    exit_bits    INTEGER,                     -- the stream of the exit, 64 bits, signed here; with seq, null while it is inside
    exit_seq     INTEGER,
    left_us      INTEGER,
    hours        INTEGER,
    cents        INTEGER,
    unresolved   INTEGER NOT NULL DEFAULT 0,  -- 1: it drove in again without having left
    UNIQUE (stream, seq)
) STRICT;
CREATE INDEX stay_inside ON stay (id) WHERE left_us IS NULL AND unresolved = 0;
CREATE INDEX stay_left ON stay (left_us) WHERE left_us IS NOT NULL;
CREATE INDEX stay_plate ON stay (plate_hash);

-- Entries and exits that did not fit: somebody has to look.
CREATE TABLE clarification (
    id         INTEGER PRIMARY KEY,
    agent      INTEGER NOT NULL REFERENCES agent (id),
    garage     TEXT NOT NULL,
    stream     INTEGER NOT NULL REFERENCES stream (id),
    seq        INTEGER NOT NULL,
    what       TEXT NOT NULL,                 -- exit_without_entry or second_entry
    ts_us      INTEGER NOT NULL,
    plate      TEXT NOT NULL,
    plate_hash TEXT NOT NULL,
    UNIQUE (stream, seq)
) STRICT;
CREATE INDEX clarification_plate ON clarification (plate_hash);

CREATE VIEW invoices AS
    SELECT strftime('%Y-%m-%dT%H:%M:%SZ', s.left_us / 1000000, 'unixepoch') AS time,
           a.region, a.name AS agent, s.garage, printf('%016x', t.bits) || '-' || s.seq AS invoice, s.entered_us, s.left_us,
           s.hours, s.cents, s.plate_hash
    FROM stay s JOIN agent a ON a.id = s.agent JOIN stream t ON t.id = s.stream WHERE s.left_us IS NOT NULL;
