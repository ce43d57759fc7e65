//! A cloud node that hears anything, with a store that works, hangs and fails. What it holds is bounded, nothing is stored
//! twice, each message is counted once, and an agent that behaves is served in the end.

use super::input::Input;
use crate::hostile::{Attacker, Desk, Good, Kind, Mood, topic};
use fogline_protocol::node::{CloudInput, Machine};
use fogline_protocol::topic::Up;

const MEMORY: u64 = 256 * 1024;

/// Messages of all kinds, time, and what befalls store and connection.
pub fn cloud_node(data: &[u8]) {
    let mut input = Input::new(data);
    let (mut desk, mut good) = (Desk::new(MEMORY), Good::new("good"));
    let mut attacker = Attacker::new(u64::from(input.byte()), 0xfeed);
    let mut heard = 0;
    while !input.is_over() {
        match input.below(8) {
            0 => {
                desk.mood = [Mood::Works, Mood::Hangs, Mood::Fails][input.below(3) as usize];
                desk.work();
            }
            1 => desk.pass(input.below(5_000) * 1_000),
            2 => {
                let connected = if input.below(2) == 0 {
                    CloudInput::Connected { broker: 0 }
                } else {
                    CloudInput::Disconnected { broker: 0 }
                };
                desk.node.handle(connected, desk.now);
                desk.work();
            }
            3 => {
                good.speak(&mut desk);
                heard += 1;
            }
            4 => {
                let channel = [Up::Hello, Up::Readings, Up::Status, Up::Ack][input.below(4) as usize];
                let length = input.below(400);
                desk.hear(topic("evil", channel), input.bytes(length).to_vec());
                heard += 1;
            }
            _ => {
                let message = attacker.message(Kind::ALL[input.below(Kind::ALL.len() as u64) as usize]);
                desk.hear(message.topic, message.payload);
                heard += 1;
            }
        }
        assert!(desk.node.snapshot().held_bytes <= MEMORY, "UNBOUNDED");
    }
    desk.mood = Mood::Works;
    desk.node.handle(CloudInput::Connected { broker: 0 }, desk.now);
    desk.settle();
    assert_eq!(desk.counts().values().sum::<u64>(), heard, "MISCOUNTED: {:?}", desk.counts());
    let before = good.acknowledged(&desk);
    good.speak(&mut desk);
    desk.settle();
    assert!(good.acknowledged(&desk) > before, "NOT LIVE");
}
