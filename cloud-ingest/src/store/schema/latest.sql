-- The newest reading of each sensor, whatever the store of the points is.
CREATE TABLE latest (
    series INTEGER PRIMARY KEY REFERENCES series (id),
    ts_us  INTEGER NOT NULL,
    clock  INTEGER NOT NULL,
    stream INTEGER NOT NULL REFERENCES stream (id),
    seq    INTEGER NOT NULL,
    flags  INTEGER NOT NULL,
    fields TEXT NOT NULL
) STRICT;
