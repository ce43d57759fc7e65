//! An agent among brokers that answer, are silent, or break.

use super::*;
use proptest::prelude::*;

const PATIENCE: Duration = FAILOVER_AFTER;
/// With the most that chance adds.
const PATIENCE_MAX: Duration = Duration::from_millis(11_250);

fn at(ms: u64) -> Monotonic {
    Monotonic::from_us(ms * 1000)
}

fn agent(brokers: usize) -> Failover {
    Failover::new(FailoverConfig { brokers, failover_after: PATIENCE, prefer_primary_after: None }, 7)
}

fn preferring(brokers: usize, after_s: u64) -> Failover {
    let prefer_primary_after = Some(Duration::from_secs(after_s));
    Failover::new(FailoverConfig { brokers, failover_after: PATIENCE, prefer_primary_after }, 7)
}

/// Sleeps from one timeout to the next, until there is a move or the time is over.
fn sleep(agent: &mut Failover, until: Monotonic) -> Option<(Monotonic, Move)> {
    let mut last = None;
    while let Some(wake) = agent.poll_timeout().filter(|wake| *wake <= until) {
        assert_ne!(last, Some(wake), "the timer rings twice at one moment");
        last = Some(wake);
        if let Some(found) = agent.poll_move(wake) {
            return Some((wake, found));
        }
    }
    None
}

/// Connects, waits for an answer and gets none: when it leaves, and where to.
fn silent_visit(agent: &mut Failover, broker: usize, now: Monotonic) -> (Monotonic, usize) {
    agent.connected(broker, now);
    agent.waits(true, now);
    let (left, to) = sleep(agent, now + Duration::from_secs(1000)).expect("nobody answers");
    assert!(matches!(to.reason, MoveReason::Silent(_)), "{to:?}");
    agent.disconnected(left);
    (left, to.broker)
}

/// Connects and gets an answer at once.
fn good_visit(agent: &mut Failover, broker: usize, now: Monotonic) {
    agent.connected(broker, now);
    agent.waits(true, now);
    agent.heard(now);
    agent.waits(false, now);
}

#[test]
fn an_agent_leaves_a_silent_ingester_after_its_patience() {
    let mut agent = agent(2);
    let (left, to) = silent_visit(&mut agent, 0, at(0));
    assert_eq!((to, agent.moves()), (1, 1));
    assert!((at(0) + PATIENCE..=at(0) + PATIENCE_MAX).contains(&left), "{left:?}");
}

#[test]
fn who_waits_for_nothing_stays() {
    let mut agent = agent(2);
    good_visit(&mut agent, 0, at(0));
    assert_eq!(agent.poll_timeout(), None);
    assert_eq!(agent.poll_move(at(3_600_000)), None);
    agent.waits(true, at(3_600_000));
    assert_eq!(agent.poll_move(at(3_609_999)), None, "silence counts from the question");
    assert!(agent.poll_move(at(3_611_300)).is_some());
}

#[test]
fn a_word_begins_the_patience_anew() {
    let mut agent = agent(2);
    agent.connected(0, at(0));
    agent.waits(true, at(0));
    for s in 1..100 {
        agent.heard(at(s * 9_000));
        assert_eq!(agent.poll_move(at(s * 9_000 + 8_999)), None);
    }
}

#[test]
fn with_one_broker_there_is_nowhere_to_go() {
    let mut agent = preferring(1, 10);
    agent.connected(0, at(0));
    agent.waits(true, at(0));
    assert_eq!((agent.poll_timeout(), agent.poll_move(at(10_000_000))), (None, None));
}

#[test]
fn a_move_is_said_once() {
    let mut agent = agent(2);
    agent.connected(0, at(0));
    agent.waits(true, at(0));
    assert!(sleep(&mut agent, at(20_000)).is_some());
    assert_eq!((agent.poll_timeout(), agent.poll_move(at(60_000))), (None, None));
}

#[test]
fn stays_grow_with_each_round_in_vain_and_are_short_again_after_a_good_broker() {
    let mut agent = agent(2);
    let mut now = at(0);
    for (visit, times) in [1_u32, 1, 2, 2, 4, 4, 4, 4].into_iter().enumerate() {
        let (left, to) = silent_visit(&mut agent, visit % 2, now);
        assert_eq!(to, (visit + 1) % 2);
        let stay = left.since(now);
        assert!((PATIENCE * times..=PATIENCE_MAX * times).contains(&stay), "visit {visit}: {stay:?}");
        now = left;
    }
    // A word alone makes no good broker...
    good_visit(&mut agent, 0, now);
    agent.disconnected(now + PATIENCE);
    let (left, _) = silent_visit(&mut agent, 0, now);
    assert!(left.since(now) >= PATIENCE * 4);
    // ...but a long stay does, though its end is silent.
    good_visit(&mut agent, 0, now);
    agent.poll_move(now + PATIENCE_MAX * 12);
    agent.disconnected(now + PATIENCE_MAX * 12);
    let (left, _) = silent_visit(&mut agent, 0, now);
    assert!(left.since(now) <= PATIENCE_MAX);
}

#[test]
fn who_has_slept_itself_listens_before_it_moves_and_does_so_once() {
    let mut agent = agent(2);
    agent.connected(0, at(0));
    agent.waits(true, at(0));
    assert_eq!(agent.poll_move(at(60_000)), None, "what was said meanwhile is not read yet");
    assert!(agent.poll_timeout().is_some_and(|next| next >= at(70_000)));
    assert!(agent.poll_move(at(120_000)).is_some(), "a machine that is always late moves too");
}

#[test]
fn the_first_broker_is_returned_to_only_when_asked_for() {
    let mut never = agent(2);
    good_visit(&mut never, 1, at(0));
    assert_eq!(never.poll_timeout(), None);

    let mut agent = preferring(2, 60);
    good_visit(&mut agent, 0, at(0));
    assert_eq!(agent.poll_timeout(), None, "it is there");
    agent.disconnected(at(10));
    good_visit(&mut agent, 1, at(0));
    let (left, to) = sleep(&mut agent, at(100_000)).unwrap();
    assert!((at(60_000)..=at(75_000)).contains(&left), "{left:?}");
    assert_eq!(to.broker, 0);
    assert!(matches!(to.reason, MoveReason::PreferPrimary(after) if after >= Duration::from_secs(60)));
}

#[test]
fn nobody_returns_from_a_backup_that_does_not_answer() {
    let mut agent = preferring(3, 60);
    good_visit(&mut agent, 1, at(0));
    let return_at = agent.poll_timeout().unwrap();
    // More than half of a patience before.
    agent.waits(true, Monotonic::from_us(return_at.us() - 6_000_000));
    let (left, to) = sleep(&mut agent, at(100_000)).unwrap();
    assert_eq!(to.broker, 2, "{to:?}");
    assert!(left > return_at);

    good_visit(&mut agent, 1, at(0));
    let return_at = agent.poll_timeout().unwrap();
    agent.waits(true, Monotonic::from_us(return_at.us() - 4_000_000));
    assert_eq!(sleep(&mut agent, at(100_000)).unwrap().1.broker, 0, "what is not late is no silence");
}

#[test]
fn returns_in_vain_are_rarer_and_rarer_until_one_lasts() {
    let mut agent = preferring(2, 60);
    let mut now = at(0);
    for times in [1_u32, 2, 4, 8, 16, 16] {
        good_visit(&mut agent, 1, now);
        let (left, to) = sleep(&mut agent, now + Duration::from_secs(10_000)).unwrap();
        let waited = left.since(now);
        let wanted = Duration::from_secs(60) * times;
        assert!((wanted..=wanted * 5 / 4).contains(&waited), "{waited:?} for {wanted:?}");
        assert_eq!(to.broker, 0);
        agent.disconnected(left);
        // The first broker is silent, or cannot be reached at all.
        now = if times % 2 == 0 { silent_visit(&mut agent, 0, left).0 } else { left };
    }
    good_visit(&mut agent, 0, now);
    now = now + Duration::from_secs(61);
    agent.disconnected(now);
    good_visit(&mut agent, 1, now);
    let (left, _) = sleep(&mut agent, now + Duration::from_secs(10_000)).unwrap();
    assert!(left.since(now) <= Duration::from_secs(75));
}

/// What happens to an agent in a step of time.
#[derive(Debug, Clone)]
enum Step {
    Hear,
    Waits(bool),
    Cut(usize),
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        4 => Just(Step::Hear),
        3 => any::<bool>().prop_map(Step::Waits),
        1 => (0_usize..4).prop_map(Step::Cut),
    ];
    prop::collection::vec((1_u64..15_000, step), 1..120)
}

proptest! {
    #[test]
    fn moves_are_never_hasty(
        brokers in 1_usize..5,
        prefer in prop::option::of(10_u64..200),
        seed in any::<u64>(),
        steps in steps(),
    ) {
        let prefer_primary_after = prefer.map(Duration::from_secs);
        let mut agent = Failover::new(FailoverConfig { brokers, failover_after: PATIENCE, prefer_primary_after }, seed);
        let (mut now, mut connected, mut word, mut waits) = (at(0), at(0), at(0), None);
        agent.connected(0, now);
        for (ms, step) in steps {
            let next = now + Duration::from_millis(ms);
            while let Some((left, to)) = sleep(&mut agent, next) {
                prop_assert!(brokers > 1 && to.broker < brokers);
                prop_assert!(left.since(connected) >= PATIENCE, "a stay of {:?}", left.since(connected));
                prop_assert!(agent.broker() != Some(to.broker), "from {} to itself", to.broker);
                if matches!(to.reason, MoveReason::Silent(_)) {
                    let since = waits.expect("silence counts only for who waits");
                    prop_assert!(left.since(word.max(since)) >= PATIENCE, "the ingester speaks");
                } else {
                    prop_assert!(prefer.is_some_and(|s| left.since(connected) >= Duration::from_secs(s)));
                }
                agent.disconnected(left);
                agent.connected(to.broker, left);
                (connected, word, waits) = (left, left, None);
            }
            now = next;
            match step {
                Step::Hear => { agent.heard(now); word = now; }
                Step::Waits(is) => { agent.waits(is, now); waits = is.then(|| waits.unwrap_or(now)); }
                Step::Cut(broker) => {
                    agent.disconnected(now);
                    agent.connected(broker % brokers, now);
                    (connected, word, waits) = (now, now, None);
                }
            }
            // As after each input of a node.
            if let Some(to) = agent.poll_move(now) {
                prop_assert!(now.since(connected) >= PATIENCE);
                agent.disconnected(now);
                agent.connected(to.broker, now);
                (connected, word, waits) = (now, now, None);
            }
        }
    }

    #[test]
    fn the_broker_with_an_ingester_is_found_in_bounded_time(
        brokers in 2_usize..5,
        alive in 0_usize..4,
        before in 0_usize..40,
        seed in any::<u64>(),
    ) {
        let mut agent =
            Failover::new(FailoverConfig { brokers, failover_after: PATIENCE, prefer_primary_after: None }, seed);
        let (mut now, mut broker) = (at(0), 0);
        for _ in 0..before {
            (now, broker) = silent_visit(&mut agent, broker, now);
        }
        let begun = now;
        while broker != alive % brokers {
            (now, broker) = silent_visit(&mut agent, broker, now);
        }
        let bound = PATIENCE_MAX * 4 * u32::try_from(brokers).unwrap();
        prop_assert!(now.since(begun) <= bound, "{:?}", now.since(begun));
    }
}
