-- The city: its nodes, and their averages, by whatever way they came. docs/city-rest.md says what is kept.
CREATE TABLE city_node (
    id       TEXT PRIMARY KEY,
    host     TEXT NOT NULL,
    ports    TEXT NOT NULL,                   -- JSON: {"http":8080}
    u        INTEGER NOT NULL,
    v        INTEGER NOT NULL,
    added_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE city_measurement (
    node      TEXT NOT NULL,                  -- a node's id, or 'global'
    to_us     INTEGER NOT NULL,
    from_us   INTEGER NOT NULL,
    mean_ugm3 REAL NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (node, to_us, from_us)
) STRICT, WITHOUT ROWID;

-- What the ingester has once drawn or been told, and must not change by itself.
CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
