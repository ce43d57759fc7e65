//! What a client sends that makes mistakes, or means harm: noise, and packets with something wrong in them.

use super::{
    packet::{self, Connect, Version},
    random::Random,
};

/// All that is sent on a connection; it depends on `random` only.
pub(crate) fn stream(random: &mut Random) -> Vec<u8> {
    let version = if random.once_in(2) { Version::V311 } else { Version::V5 };
    let mut bytes = Vec::new();
    if !random.once_in(8) {
        let mut connect = connect(random, version);
        if random.once_in(3) {
            mutate(random, &mut connect);
        }
        bytes.extend(connect);
    }
    for _ in 0..random.below(12) {
        let mut packet = packet(random, version);
        if random.once_in(4) {
            mutate(random, &mut packet);
        }
        bytes.extend(packet);
    }
    if random.once_in(6) {
        let count = random.below(400);
        bytes.extend(random.bytes(count));
    }
    bytes
}

/// A CONNECT with anything in it that may be there. Few names, so that takeovers happen.
fn connect(random: &mut Random, version: Version) -> Vec<u8> {
    let id = format!("fuzz-{}", random.below(20));
    let properties: &[&[u8]] = &[
        b"",
        b"\x11\x00\x00\x00\x01",
        b"\x21\x00\x01\x22\x00\x05\x27\x00\x00\x00\x40",
        b"\x26\x00\x01a\x00\x01b\x26\x00\x01a\x00\x01c",
        b"\x15\x00\x01x\x16\x00\x01y",
    ];
    let will = random.once_in(3).then_some(("will/of/it", &b"gone"[..]));
    let connect = Connect {
        version,
        id: if random.once_in(10) { "" } else { &id },
        clean: !random.once_in(4),
        keep_alive: u16::try_from(random.below(4)).unwrap(),
        will,
        properties: random.pick(properties),
        ..Connect::new("")
    };
    connect.packet()
}

/// A packet of any kind, with values that are often out of the ordinary.
fn packet(random: &mut Random, version: Version) -> Vec<u8> {
    let (id, qos) = (if random.once_in(2) { random.id() } else { 1 }, u8::try_from(random.below(3)).unwrap());
    match random.below(10) {
        0..=2 => {
            let flags = qos << 1 | u8::from(random.once_in(3)) | if random.once_in(4) { 8 } else { 0 };
            let size = random.pick(&[&0, &1, &200, &20_000]);
            let payload = random.bytes(*size);
            packet::publish_with(version, flags, &topic(random), id, publish_properties(random), &payload)
        }
        3 => packet::subscribe(version, id, &[(&topic(random), qos), (&topic(random), random.byte())]),
        4 => packet::unsubscribe(version, id, &[&topic(random)]),
        5..=7 => {
            let kind = 0x40 + 0x10 * u8::try_from(random.below(4)).unwrap();
            packet::ack(kind | (u8::from(random.once_in(2)) << 1), id)
        }
        8 => packet::ping(),
        _ => {
            let (first, length) = (random.byte(), random.below(20));
            packet::packet(first, &random.bytes(length))
        }
    }
}

fn topic(random: &mut Random) -> String {
    let level =
        |random: &mut Random| random.pick(&["a", "b", "+", "#", "", "über", "$SYS", "$share", "g", "\u{0}", "x y"]);
    let levels: Vec<_> = (0..1 + random.below(5)).map(|_| level(random)).collect();
    levels.join("/").repeat(if random.once_in(50) { 500 } else { 1 })
}

fn publish_properties(random: &mut Random) -> &'static [u8] {
    random.pick(&[
        &b""[..],
        b"\x23\x00\x01",
        b"\x23\x00\x00",
        b"\x23\xff\xff",
        b"\x02\x00\x00\x00\x00",
        b"\x01\x01\x03\x00\x01x\x09\x00\x01y\x08\x00\x01z",
        b"\x26\x00\x01a\x00\x01b",
        b"\x0b\x05",
    ])
}

/// Bits turned, cut short, made longer, another length written, bytes doubled.
fn mutate(random: &mut Random, packet: &mut Vec<u8>) {
    for _ in 0..1 + random.below(3) {
        if packet.is_empty() {
            return;
        }
        let at = random.below(packet.len());
        match random.below(7) {
            0 | 1 => packet[at] ^= 1 << random.below(8),
            2 => packet[at] = random.byte(),
            3 => packet.truncate(at),
            4 => {
                let more = random.bytes(1 + at % 9);
                packet.extend(more);
            }
            5 => {
                let part = packet[at..].to_vec();
                packet.extend(part);
            }
            _ => {
                let length = random.pick(&[
                    &b"\xff\xff\xff\x7f"[..],
                    b"\x80\x80\x80\x80",
                    b"\x00",
                    b"\xff\xff\x03",
                    b"\x80\x00",
                ]);
                packet.splice(1..2.min(packet.len()), length.iter().copied());
            }
        }
    }
}
