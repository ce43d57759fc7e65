//! Messages that are refused as they are read.

use super::craft::{READING, answer, batch, hello, readings, status, term};
use super::{Attacker, Fate, REGION, topic};
use fogline_protocol::topic::Up;
use fogline_protocol::wire::{Outcome, PAYLOAD_MAX_BYTES};

/// What is made of a kind: topic, payload, fate.
pub(super) type Made = (String, Vec<u8>, Fate);

const MALFORMED: Fate = Fate::Refused("malformed");

fn spoil(payload: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(payload);
    assert!(text.contains(from), "{from:?} is not in {text}");
    text.replace(from, to).into_bytes()
}

impl Attacker {
    /// A message of each channel that would be taken.
    fn good(&mut self) -> (Up, Vec<u8>) {
        match self.rng.below(4) {
            0 => (Up::Readings, batch(3, 1, 1, &[], 3)),
            1 => (Up::Hello, hello(1, Some(term(1)), &[3])),
            2 => (Up::Status, status(true, (1, 1), 5)),
            _ => (Up::Ack, answer("limit", term(1), 1, Outcome::Applied, None)),
        }
    }

    pub(super) fn truncated(&mut self) -> Made {
        let (channel, mut payload) = self.good();
        payload.truncate(usize::try_from(self.rng.below(payload.len() as u64)).unwrap_or(0));
        (topic("evil-cut", channel), payload, MALFORMED)
    }

    pub(super) fn nested(&mut self) -> Made {
        let depth = usize::try_from(200 + self.rng.below(2_000)).unwrap_or(0);
        let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let (channel, payload) = match self.rng.below(3) {
            0 => (Up::Readings, spoil(&batch(3, 1, 1, &[], 1), "97.2", &deep)),
            1 => (Up::Readings, spoil(&batch(3, 1, 1, &[], 1), READING, &deep)),
            _ => (Up::Hello, spoil(&hello(1, None, &[3]), "\"hello\":1", &format!("\"hello\":{deep}"))),
        };
        (topic("evil-deep", channel), payload, MALFORMED)
    }

    pub(super) fn huge_number(&mut self) -> Made {
        let batch = batch(3, 1, 7, &[(5, 6)], 1);
        let hello = hello(1, Some(term(3)), &[3]);
        let status = status(true, (1, 1), 5);
        let huge = "9007199254740992";
        let beyond = "18446744073709551616";
        let cases = [
            (Up::Readings, &batch, "\"first\":7", format!("\"first\":{huge}"), "sequence"),
            (Up::Readings, &batch, "\"first\":7", format!("\"first\":{beyond}"), "malformed"),
            (Up::Readings, &batch, "\"first\":7", "\"first\":-7".to_owned(), "malformed"),
            (Up::Readings, &batch, "[[5,6]]", format!("[[5,{huge}]]"), "sequence"),
            (Up::Readings, &batch, "\"clock\":7", "\"clock\":1000".to_owned(), "value"),
            (Up::Readings, &batch, "\"clock\":7", format!("\"clock\":{beyond}"), "malformed"),
            (Up::Readings, &batch, "97.2", "1e999".to_owned(), "malformed"),
            (Up::Readings, &batch, "97.2", "9".repeat(5_000), "malformed"),
            (Up::Readings, &batch, "1577145601420000", huge.to_owned(), "reading"),
            (Up::Hello, &hello, "\"counter\":3", format!("\"counter\":{huge}"), "sequence"),
            (Up::Hello, &hello, "\"next\":100", format!("\"next\":{huge}"), "sequence"),
            (Up::Hello, &hello, "\"hello\":1", format!("\"hello\":{beyond}"), "malformed"),
            (Up::Status, &status, "\"queued\":1", format!("\"queued\":{huge}"), "value"),
            (Up::Status, &status, "\"ts_us\":5", "\"ts_us\":9223372036854775807".to_owned(), "value"),
        ];
        let (channel, payload, from, to, reason) = self.pick(&cases);
        (topic("evil-huge", *channel), spoil(payload, from, to), Fate::Refused(reason))
    }

    pub(super) fn wrong_stream(&mut self) -> Made {
        let wrong = ["xyz", "", "00000000000000AB", "+00000000000003", "000000000000000003", "0000000000000 03", "ü"];
        let wrong = *self.pick(&wrong);
        (topic("evil-name", Up::Readings), spoil(&batch(3, 1, 1, &[], 1), "0000000000000003", wrong), MALFORMED)
    }

    pub(super) fn wrong_version(&mut self) -> Made {
        let (channel, payload) = self.good();
        let (version, reason) = *self.pick(&[
            ("\"v\":2", "version"),
            ("\"v\":4294967295", "version"),
            ("\"v\":0", "value"),
            ("\"v\":4294967296", "malformed"),
            ("\"v\":\"1\"", "malformed"),
            ("\"v\":null", "malformed"),
            ("\"w\":1", "malformed"),
        ]);
        (topic("evil-new", channel), spoil(&payload, "\"v\":1", version), Fate::Refused(reason))
    }

    pub(super) fn not_utf8(&mut self) -> Made {
        let (channel, mut payload) = self.good();
        match self.rng.below(3) {
            // Within a text.
            0 => {
                let at = payload.windows(3).position(|window| window == b"\"v\"").unwrap_or(0) + 1;
                payload.splice(at..=at, [0xc3, 0x28]);
            }
            1 => payload.insert(0, 0xff),
            _ => {
                let count = 1 + self.rng.below(500);
                // Never a digit or a bracket: noise, and no JSON by chance.
                payload = (0..count).map(|_| 0x80 | u8::try_from(self.rng.below(128)).unwrap_or(0)).collect();
            }
        }
        (topic("evil-bytes", channel), payload, MALFORMED)
    }

    pub(super) fn unknown_topic(&mut self) -> Made {
        let levels = [
            "evil/up/foo",
            "evil/up/hello/x",
            "evil/up/question",
            "evil/up",
            "EVIL/up/readings",
            "peers/up/readings",
            "-evil/up/status",
            "evil evil/up/ack",
        ];
        let levels = *self.pick(&levels);
        (format!("fogline/v1/{REGION}/{levels}"), batch(3, 1, 1, &[], 1), Fate::Refused("topic"))
    }

    pub(super) fn too_many_entries(&mut self) -> Made {
        let many_gaps: Vec<(u64, u64)> = (0..33).map(|n| (10 * n + 1, 10 * n + 2)).collect();
        let streams: Vec<u64> = (1..=17).collect();
        let short = r#"{"ts_us":1,"sensor":"a","kind":"b","fields":{"c":1}}"#;
        let crowded = spoil(&batch(3, 1, 1, &[], 1), READING, &vec![short; 1025].join(","));
        let (channel, payload) = match self.rng.below(3) {
            0 => (Up::Readings, batch(3, 1, 1, &many_gaps, 1)),
            1 => (Up::Hello, hello(1, None, &streams)),
            _ => (Up::Readings, crowded),
        };
        (topic("evil-many", channel), payload, Fate::Refused("too_many"))
    }

    pub(super) fn bad_reading(&mut self) -> Made {
        let fields: Vec<String> = (0..33).map(|n| format!("\"f{n}\":1")).collect();
        let cases = [
            ("lane-1", "a/b".to_owned()),
            ("lane-1", "x".repeat(64)),
            ("\"power\"", "\"#\"".to_owned()),
            ("\"power\"", "\"fogline_x\"".to_owned()),
            ("power_w", "time".to_owned()),
            ("97.2", format!("\"{}\"", "x".repeat(257))),
            ("\"power_w\":97.2", String::new()),
            ("\"power_w\":97.2", "\"a\":1,\"a\":2".to_owned()),
            ("\"power_w\":97.2", fields.join(",")),
            ("1577145601420000", "-1".to_owned()),
        ];
        let (from, to) = self.pick(&cases);
        let spoilt = READING.replace(from, to);
        // In the middle of others, that must not be taken either.
        let payload = spoil(&batch(3, 1, 1, &[], 1), READING, &format!("{READING},{spoilt},{READING}"));
        (topic("evil-reading", Up::Readings), payload, Fate::Refused("reading"))
    }

    pub(super) fn too_long(&mut self) -> Made {
        let (channel, mut payload) = self.good();
        payload.resize(PAYLOAD_MAX_BYTES + 1 + usize::try_from(self.rng.below(5_000)).unwrap_or(0), b' ');
        (topic("evil-long", channel), payload, Fate::Refused("too_long"))
    }

    pub(super) fn giant_gap(&mut self) -> Made {
        const LAST: u64 = (1 << 53) - 1;
        let refused = |gaps: &[(u64, u64)]| (batch(3, 1, 1, gaps, 1), Fate::Refused("range"));
        let (payload, fate) = match self.rng.below(6) {
            0 => refused(&[(6, 5)]),
            1 => refused(&[(1, LAST), (LAST, LAST)]),
            2 => (batch(3, 8, 7, &[], 1), Fate::Refused("range")),
            // All that there will ever be is a gap: what is in it was received, in a manner of speaking.
            3 => {
                self.streams += 1;
                let stream = self.rng.next_u64();
                (batch(stream, 1, 1, &[(1, LAST)], 2), Fate::Either("readings", "too_many_streams"))
            }
            4 => (batch(self.rng.next_u64(), LAST, LAST, &[], 1), Fate::Either("readings", "too_many_streams")),
            _ => {
                let header = batch(3, LAST, LAST, &[], 2);
                debug_assert!(readings(2).len() < header.len());
                (header, Fate::Refused("sequence"))
            }
        };
        (topic("evil-gap", Up::Readings), payload, fate)
    }
}
