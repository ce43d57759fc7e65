CREATE VIEW readings AS
    SELECT strftime('%Y-%m-%dT%H:%M:%S', r.ts_us / 1000000, 'unixepoch') || printf('.%06dZ', r.ts_us % 1000000) AS time,
           a.region, a.name AS agent, s.sensor, s.kind, r.fields, r.ts_us, r.clock, printf('%016x', t.bits) AS stream, r.seq,
           r.flags
    FROM reading r JOIN series s ON s.id = r.series JOIN agent a ON a.id = s.agent JOIN stream t ON t.id = r.stream;
