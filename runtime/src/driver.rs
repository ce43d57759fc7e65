//! The one loop that runs a machine: start its effects, wait for an input or for its timer, hand that over.

use crate::clock::Clock;
use fogline_protocol::node::Machine;
use std::future::Future;

/// What a machine is connected to.
pub trait Shell<M: Machine> {
    /// Starts an effect. Must not block: whatever takes time answers later, as an input.
    fn start(&mut self, effect: M::Effect);

    /// The next input. None ends the loop. Must be cancel-safe: the loop drops it when the timer comes first.
    fn next(&mut self, node: &M) -> impl Future<Output = Option<M::Input>> + Send;

    /// Called after each turn, with the node at rest.
    fn observe(&mut self, _node: &mut M) {}

    /// Called after that: says to whom it matters that the loop still turns. Gives when it wants to be called again at the latest.
    fn beat(&mut self, _node: &M) -> Option<std::time::Instant> {
        None
    }
}

/// Runs `node` until the shell has no more inputs or `until` completes.
pub async fn drive<M: Machine, S: Shell<M>>(
    node: &mut M,
    shell: &mut S,
    clock: &Clock,
    until: impl Future<Output = ()>,
) {
    tokio::pin!(until);
    loop {
        while let Some(effect) = node.poll_effect() {
            shell.start(effect);
        }
        shell.observe(node);
        // A machine that waits for nothing is looked at again after a while all the same: that is harmless.
        let idle = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        let deadline = node.poll_timeout().map_or(idle, |at| clock.instant(at));
        let deadline = shell.beat(node).map_or(deadline, |at| deadline.min(at.into()));
        let input = tokio::select! {
            biased;
            () = &mut until => return,
            input = shell.next(node) => input,
            () = tokio::time::sleep_until(deadline) => {
                node.handle_timeout(clock.now());
                continue;
            }
        };
        let Some(input) = input else { return };
        node.handle(input, clock.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::time::{Monotonic, Now};
    use std::time::Duration;
    use tokio::sync::mpsc;

    /// Sends a tick every 1.5 s and echoes its inputs.
    struct Ticker {
        next: Monotonic,
        turns: u64,
        effects: Vec<u64>,
    }

    impl Machine for Ticker {
        type Input = u64;
        type Effect = u64;

        fn handle(&mut self, input: u64, _: Now) {
            self.turns += 1;
            self.effects.push(input);
        }

        fn handle_timeout(&mut self, now: Now) {
            self.turns += 1;
            if self.next <= now.mono {
                self.next = now.mono + Duration::from_millis(1500);
                self.effects.push(0);
            }
        }

        fn poll_effect(&mut self) -> Option<u64> {
            self.effects.pop()
        }

        fn poll_timeout(&self) -> Option<Monotonic> {
            Some(self.next)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_shell_that_beats_is_called_in_time_though_the_machine_waits() {
        struct Beating(Duration, u32);
        impl Shell<Ticker> for Beating {
            fn start(&mut self, _: u64) {}

            async fn next(&mut self, _: &Ticker) -> Option<u64> {
                std::future::pending().await
            }

            fn beat(&mut self, _: &Ticker) -> Option<std::time::Instant> {
                self.1 += 1;
                Some((tokio::time::Instant::now() + self.0).into_std())
            }
        }
        let clock = Clock::new();
        let far = Monotonic::ZERO + Duration::from_secs(3600);
        let mut node = Ticker { next: far, turns: 0, effects: Vec::new() };
        let mut shell = Beating(Duration::from_millis(500), 0);
        drive(&mut node, &mut shell, &clock, tokio::time::sleep(Duration::from_secs(10))).await;
        assert!((20..=22).contains(&shell.1), "{} beats in 10 s", shell.1);
    }

    struct Channel {
        inputs: mpsc::Receiver<u64>,
        effects: Vec<u64>,
    }

    impl Shell<Ticker> for Channel {
        fn start(&mut self, effect: u64) {
            self.effects.push(effect);
        }

        async fn next(&mut self, _: &Ticker) -> Option<u64> {
            self.inputs.recv().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn timers_fire_on_time_and_never_spin() {
        let clock = Clock::new();
        let mut node = Ticker { next: Monotonic::ZERO, turns: 0, effects: Vec::new() };
        let (sender, inputs) = mpsc::channel(1);
        let mut shell = Channel { inputs, effects: Vec::new() };
        sender.send(7).await.unwrap();
        drive(&mut node, &mut shell, &clock, tokio::time::sleep(Duration::from_secs(15))).await;
        assert_eq!(shell.effects.iter().filter(|effect| **effect == 7).count(), 1);
        assert_eq!(shell.effects.iter().filter(|effect| **effect == 0).count(), 10);
        assert!(node.turns <= 21, "{} turns for 10 ticks and one input", node.turns);
        drop(sender);
    }
}
