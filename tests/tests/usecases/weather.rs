//! A station that never loses a reading, and keeps what cannot be true with a mark.

use fogline_tests::real::{Database, Kind, Site, until};
use rusqlite::Row;

/// Readings between two strikes: two seconds of a station.
const MORE: i64 = 20;

fn until_more(database: &Database) {
    let before = database.stored("roof");
    until("more readings are stored", || (database.stored("roof") >= before + MORE).then_some(()));
}

#[test]
fn a_station_loses_no_reading_whatever_is_killed() {
    let Some(mut site) = Site::start(Kind::under_test()) else { return };
    let mut agent = site.agent("roof").args(["--source", "simulate", "--kind", "weather"]).start();
    let database = site.ingester.database();
    until_more(&database);
    agent.program.kill();
    agent.program.restart();
    until_more(&database);
    site.broker.bounce();
    until_more(&database);
    agent.program.kill();
    site.broker.program.kill();
    site.broker.program.restart();
    agent.program.restart();
    until_more(&database);

    assert!(agent.program.terminate().success());
    let account = site.audit(&[&agent]).passes().total;
    assert_eq!((account.dropped, account.lost), (0, 0));
    assert!(i64::try_from(account.stored).unwrap() >= 4 * MORE, "{account:?}");
    averages_are_those_of_the_readings(&database, "roof");
    let sql = "SELECT l.ts_us, (SELECT max(ts_us) FROM readings WHERE agent = 'roof')
               FROM latest l JOIN series s ON s.id = l.series JOIN agent a ON a.id = s.agent WHERE a.name = 'roof'";
    let (latest, newest): (i64, i64) = database.query(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(latest, newest, "the last value is kept");
}

#[test]
fn what_no_weather_can_be_is_kept_and_marked_and_in_no_average() {
    let Some(site) = Site::start(Kind::under_test()) else { return };
    let lines: String = [(1013.2, 21.5), (1013.1, 999.9), (12.0, 21.7), (1013.0, 20.5)]
        .iter()
        .map(|(pressure, temperature)| {
            format!("{{\"fields\":{{\"pressure_hpa\":{pressure},\"temperature_c\":{temperature}}}}}\n")
        })
        .collect();
    let file = site.path("lines");
    std::fs::write(&file, lines).unwrap();
    site.agent("mast").reads(&file).args(["--kind", "weather", "--sensor", "mast"]).start().finished();

    let database = site.ingester.database();
    let sql = "SELECT flags FROM readings WHERE agent = 'mast' ORDER BY seq";
    let flags: Vec<i64> = database.rows(sql, [], |row| row.get(0));
    assert_eq!(flags, [0, 1, 1, 0]);
    let sql = "SELECT sum(n), min(min), max(max) FROM aggregate g JOIN average v ON v.id = g.average
               WHERE agent = 'mast' AND field = ?1 AND width_s = 3600";
    let hour = |field: &str| -> Option<(i64, f64, f64)> {
        database.query(sql, [field], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    assert_eq!(hour("temperature_c"), Some((3, 20.5, 21.7)));
    assert_eq!(hour("pressure_hpa"), Some((3, 1013.0, 1013.2)), "what is true of a reading counts");
    averages_are_those_of_the_readings(&database, "mast");
}

/// Number, minimum, maximum and mean of each minute and hour, counted again.
fn averages_are_those_of_the_readings(database: &Database, agent: &str) {
    let kept = "SELECT start_us, n, min, max, sum / n FROM aggregate g JOIN average v ON v.id = g.average
                WHERE agent = ?1 AND field = ?2 AND width_s = ?3 ORDER BY start_us";
    let counted = "SELECT ts_us - ts_us % (?3 * 1000000) AS start, count(*), min(value), max(value), avg(value)
                   FROM (SELECT ts_us, json_extract(fields, '$.' || ?2) AS value FROM readings WHERE agent = ?1)
                   WHERE value BETWEEN ?4 AND ?5 GROUP BY start ORDER BY start";
    for (field, min, max) in [("pressure_hpa", 300.0, 1100.0), ("temperature_c", -90.0, 60.0)] {
        for width_s in [60, 3600] {
            let kept = database.rows(kept, (agent, field, width_s), window);
            let counted = database.rows(counted, (agent, field, width_s, min, max), window);
            assert!(!kept.is_empty(), "{field} of {width_s} s");
            assert_eq!(kept.len(), counted.len());
            for (kept, counted) in kept.iter().zip(&counted) {
                assert_eq!((kept.0, kept.1, kept.2), (counted.0, counted.1, counted.2), "{field} of {width_s} s");
                assert!((kept.3 - counted.3).abs() < 1e-9 * counted.3.abs(), "{kept:?} {counted:?}");
            }
        }
    }
}

/// Start, number, minimum and maximum, mean.
type Window = (i64, i64, [f64; 2], f64);

fn window(row: &Row<'_>) -> rusqlite::Result<Window> {
    Ok((row.get(0)?, row.get(1)?, [row.get(2)?, row.get(3)?], row.get(4)?))
}
