//! Connections that send what no client should: noise, and packets with mistakes in them.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    random::{Random, seed},
    site::{Site, scale},
    wire::{Client, Connect, Version, packet},
};

/// At the same time.
const CONNECTIONS: usize = 32;
/// A broker that has something to say says it within this.
const LISTEN: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_others_are_served() {
    let (site, seed) = (Site::start().await, seed());
    let count = scale(3_000, 100_000);
    println!("FOGLINE_HOSTILE_SEED={seed}, {count} connections");
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut attacks = JoinSet::new();
    for number in 0..count {
        let permit = Arc::clone(&room).acquire_owned().await.unwrap();
        let (address, random) = (site.address(), Random::new(seed, number));
        attacks.spawn(async move {
            drop(attack(address, random).await);
            drop(permit);
        });
        if number % 500 == 0 {
            site.is_well().await;
        }
        while attacks.try_join_next().is_some() {}
    }
    attacks.join_all().await;
    site.is_well().await;
    for name in ["clients{state=\"handshaking\"}", "clients{state=\"connected\"}"] {
        site.settles(name, |count| count == 0).await;
    }
}

/// One connection, all of whose packets depend on `random` only.
async fn attack(address: std::net::SocketAddr, mut random: Random) -> std::io::Result<()> {
    let mut client = Client::open(address).await?;
    let version = if random.once_in(2) { Version::V311 } else { Version::V5 };
    let mut bytes = Vec::new();
    if !random.once_in(8) {
        let mut connect = connect(&mut random, version);
        if random.once_in(3) {
            mutate(&mut random, &mut connect);
        }
        bytes.extend(connect);
    }
    for _ in 0..random.below(12) {
        let mut packet = packet(&mut random, version);
        if random.once_in(4) {
            mutate(&mut random, &mut packet);
        }
        bytes.extend(packet);
    }
    if random.once_in(6) {
        let count = random.below(400);
        bytes.extend(random.bytes(count));
    }
    write(&mut client, &mut random, &bytes).await?;
    let end = random.below(3);
    let listening = async { while client.reader.next().await.is_ok() {} };
    drop(timeout(LISTEN, listening).await);
    match end {
        0 => client.reset(),
        1 => client.writer.shutdown().await?,
        _ => drop(client),
    }
    Ok(())
}

/// All at once, in pieces, or byte by byte.
async fn write(client: &mut Client, random: &mut Random, bytes: &[u8]) -> std::io::Result<()> {
    let piece = match random.below(4) {
        0 if bytes.len() < 2000 => 1,
        1 => 1 + random.below(50),
        _ => bytes.len().max(1),
    };
    for piece in bytes.chunks(piece) {
        client.writer.write_all(piece).await?;
        if random.once_in(200) {
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
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
