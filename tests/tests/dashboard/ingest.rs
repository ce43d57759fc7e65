//! Lets the ingester's InfluxDB store write into InfluxDB 1.x, which knows no `/api/v2/write`.

use crate::influxd::{Api, Influxd};
use fogline_ingest::store::{InfluxConfig, InfluxStore, Sharing, StateDb, Store, Synchronous};
use fogline_protocol::store::{Commit, Points, TakeOver};
use fogline_protocol::time::Wall;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// Writes a commit. Whatever the store sends over HTTP goes to the server as it is.
pub(crate) fn store(commit: &Commit, server: &Influxd) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let api = server.api();
    // Ends with the test.
    std::thread::spawn(move || listener.incoming().for_each(|stream| pass_on(&stream.unwrap(), api)));

    let folder = tempfile::tempdir().unwrap();
    let mut state = StateDb::open(&folder.path().join("state.db"), Synchronous::Normal, Sharing::Alone).unwrap();
    state.take_over(TakeOver { run: commit.run, above: 0, since: Wall::MIN }).unwrap();
    let config = InfluxConfig { url, ..InfluxConfig::default() };
    let report = InfluxStore::new(state, &config).unwrap().commit(commit).unwrap();
    let readings: u64 = commit.points.iter().map(Points::count).sum();
    assert_eq!((report.stored, report.dead), (readings, 0));
}

fn pass_on(mut stream: &TcpStream, api: Api) {
    api.write(&body(stream));
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
}

fn body(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            Some(_) => {}
            None if line == "\r\n" => break,
            None => assert!(line.starts_with("POST /api/v2/write?"), "{line}"),
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body).unwrap();
    body
}
