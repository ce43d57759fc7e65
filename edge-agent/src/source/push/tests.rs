//! Requests as bytes on a socket, and when they are answered.

use super::*;
use crate::settings::keys::Problems;
use crate::source::{Source, Step};
use fogline_protocol::time::{Monotonic, Now, Wall};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

fn start(more: &str) -> (FeedSource, SocketAddr) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let problems = Problems::default();
    let mut keys = Keys::new("sources[0]", format!("listen = '{address}'\n{more}").parse().unwrap(), &problems);
    let config = super::read(&mut keys, &mut ShapeConfig::default());
    keys.finish();
    assert_eq!(problems.into_inner(), Vec::<String>::new());
    (open("http", config).unwrap(), address)
}

fn step(source: &mut FeedSource) -> Option<Offer> {
    match source.step(Now { mono: Monotonic::ZERO, wall: Wall::MIN }).unwrap() {
        Step::Offer(offer) => Some(offer),
        Step::Wait(_) => None,
        Step::End => panic!("it ended"),
    }
}

/// Sends a request, steps the source meanwhile, and gives what was offered and the answer.
fn post(source: &mut FeedSource, address: SocketAddr, head: &str, body: &[u8], commit: bool) -> (Vec<Offer>, String) {
    let request = format!(
        "POST /readings HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n{head}\r\n",
        body.len()
    );
    let request = [request.as_bytes(), body].concat();
    let client = std::thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        // A body that is too long is refused before it is read.
        stream.write_all(&request).ok();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        answer
    });
    let mut offers = Vec::new();
    while !client.is_finished() {
        let offer = step(source);
        if let Some(offer) = &offer
            && commit
        {
            offer.receipts.iter().for_each(Receipt::give);
        }
        if let Some(mut offer) = offer {
            if !commit {
                // The agent dies before its commit.
                offer.receipts.clear();
            }
            offers.push(offer);
        }
    }
    (offers, client.join().unwrap())
}

fn count(offers: &[Offer]) -> usize {
    offers.iter().map(|offer| offer.readings.len()).sum()
}

#[test]
fn readings_are_answered_for_once_they_are_committed() {
    let (mut source, address) = start("sensor = 'gate'\nkind = 'door'");
    for (body, readings) in [
        (r#"{"ts_us":5,"sensor":"lane-1","kind":"road","fields":{"speed_kmh":97.2}}"#, 1),
        ("[{\"open\":true},{\"fields\":{\"a\":1}}]", 2),
        ("{\"a\":1}\n\n{\"a\":2}\n7\n", 3),
        ("{\n\"a\":\n1}", 1),
    ] {
        let (offers, answer) = post(&mut source, address, "", body.as_bytes(), true);
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("{{\"committed\":{readings}}}")),
            "{body}: {answer}"
        );
        assert_eq!(count(&offers), readings, "{body}");
    }
    let (offers, answer) = post(&mut source, address, "", b"{\"a\":1}", false);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5"), "{answer}");
    assert_eq!(count(&offers), 1);
}

#[test]
fn what_is_no_reading_is_refused_whole() {
    let (mut source, address) = start("");
    for (body, words) in [
        (
            &b"[{\"a\":1},{\"a\":\"x\"}]"[..],
            "reading 2: it has no value that could be a field; none of the request was taken",
        ),
        (b"", "there is no reading in it"),
        (b"[]", "there is no reading in it"),
        (b"[1", "reading 1: it is not a JSON array"),
        (b"{\"ts_us\":-5,\"fields\":{\"a\":1}}", "ts_us -5 is out of range"),
        (b"\xff", "reading 1: it is not text in UTF-8"),
    ] {
        let (offers, answer) = post(&mut source, address, "", body, true);
        assert!(answer.starts_with("HTTP/1.1 422 ") && answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains(words), "{answer}");
        assert_eq!(count(&offers), 0);
    }
    assert!(source.skipped() >= 6);
    let (_, answer) = post(&mut source, address, "", &vec![b' '; BODY_MAX_BYTES + 1], true);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let (offers, answer) = post(
        &mut source,
        address,
        "Origin: https://elsewhere.example\r\nSec-Fetch-Site: cross-site\r\n",
        b"{\"a\":1}",
        true,
    );
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(count(&offers), 0);
}

#[test]
fn others_need_a_token() {
    let problems = Problems::default();
    let mut keys = Keys::new("sources[0]", "listen = '0.0.0.0:9181'".parse().unwrap(), &problems);
    super::read(&mut keys, &mut ShapeConfig::default());
    let found = problems.into_inner();
    assert!(
        found[0].starts_with("sources[0].listen: 0.0.0.0:9181 is open to others")
            && found[0].contains("--role operator"),
        "{found:?}"
    );

    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = fogline_door::http::add(&tokens, "gate", fogline_door::http::Role::Operator).unwrap();
    let (mut source, address) = start(&format!("tokens = '{}'", tokens.display()));
    let (offers, answer) = post(&mut source, address, "", b"{\"a\":1}", true);
    assert!(answer.starts_with("HTTP/1.1 401 ") && offers.is_empty(), "{answer}");
    let bearer = format!("Authorization: Bearer {}\r\n", token.reveal());
    let (offers, answer) = post(&mut source, address, &bearer, b"{\"a\":1}", true);
    assert!(answer.starts_with("HTTP/1.1 200 ") && count(&offers) == 1, "{answer}");
}
