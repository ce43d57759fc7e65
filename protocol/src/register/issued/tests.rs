use super::*;
use crate::ids::Name;

fn term(counter: u64) -> Term {
    Term { counter, ingester: Name::new("ingest-1").unwrap() }
}

fn agent(name: &str) -> AgentId {
    AgentId { region: Name::new("a7").unwrap(), agent: Name::new(name).unwrap() }
}

fn now(ms: u64) -> Now {
    Now { mono: Monotonic::from_us(ms * 1000), wall: Wall::from_us(1_700_000_000_000_000) }
}

fn issue(all: &mut Issued, name: &str, now: Now) {
    let body = serde_json::json!({ "limit_kmh": 100 });
    all.issue(&agent(name), "limit", Verdict { body, ttl_ms: 60_000 }, now);
    let changes = all.take_changes();
    all.committed(&changes);
}

fn superseded(all: &Issued, highest: u64) -> DecisionAck {
    let (term, seq) = (all.term().clone(), 1);
    let (highest, reason) = (Some(Term { counter: highest, ..term.clone() }), None);
    let decided_us = now(0).wall.us();
    DecisionAck { key: "limit".into(), term, seq, decided_us, outcome: Outcome::Superseded, highest, reason }
}

#[test]
fn an_unanswered_decision_is_sent_again_until_it_expires() {
    let mut all = Issued::new(term(1), Vec::new(), now(0));
    issue(&mut all, "lane-1", now(0));
    assert_eq!(all.due(now(0).mono).len(), 1);
    assert_eq!(all.due(now(999).mono).len(), 0);
    let again = all.due(now(1000).mono);
    assert_eq!(again[0].1.ttl_ms, 59_000, "the time that is left");
    assert_eq!(all.poll_timeout(), Some(now(3000).mono), "twice as long");
    assert_eq!(all.due(now(60_000).mono), []);
    assert_eq!(all.take_changes()[0].fate, Fate::Expired);
}

#[test]
fn a_decision_that_is_refused_for_an_older_life_is_decided_above_it() {
    let mut all = Issued::new(term(1), Vec::new(), now(0));
    issue(&mut all, "lane-1", now(0));
    all.due(now(0).mono);
    let refused = superseded(&all, 7);
    assert!(all.acknowledged(&agent("lane-1"), &refused, now(10)));
    let changes = all.take_changes();
    all.committed(&changes);
    assert_eq!(all.due(now(10).mono), [], "not at once: it might be refused again and again");
    assert_eq!(all.due(now(1010).mono)[0].1.term, term(8));
}

#[test]
fn an_answer_to_an_earlier_life_is_none_to_this_one() {
    let mut all = Issued::new(term(1), Vec::new(), now(0));
    issue(&mut all, "lane-1", now(0));
    let late = DecisionAck { outcome: Outcome::Applied, decided_us: 5, ..superseded(&all, 1) };
    assert!(!all.acknowledged(&agent("lane-1"), &late, now(1)));
    assert_eq!(all.outstanding(), 1);
}

#[test]
fn a_report_that_cannot_be_true_raises_nothing() {
    let mut all = Issued::new(term(1), Vec::new(), now(0));
    all.raise_above(&agent("lane-1"), &term(SEQ_MAX));
    all.raise_above(&agent("lane-1"), &term(2 << 20));
    assert_eq!(all.term(), &term(1));
    issue(&mut all, "lane-1", now(0));
    all.due(now(0).mono);
    let refused = superseded(&all, SEQ_MAX);
    all.acknowledged(&agent("lane-1"), &refused, now(10));
    assert_eq!((all.term(), all.outstanding()), (&term(1), 0), "it is given up for this agent, and for no other");
    all.raise_above(&agent("lane-2"), &term(5));
    assert_eq!(all.term(), &term(6));
}

#[test]
fn an_answer_to_what_was_not_sent_is_none() {
    let mut all = Issued::new(term(1), Vec::new(), now(0));
    issue(&mut all, "lane-1", now(0));
    let guessed = superseded(&all, 7);
    assert!(!all.acknowledged(&agent("lane-1"), &guessed, now(1)));
    assert_eq!(all.take_changes(), [], "nothing is decided and committed for a guess");
    assert_eq!(all.term(), &term(1));
}

#[test]
fn no_number_of_reports_raises_the_term_further_than_one() {
    let mut all = Issued::new(term(1), Vec::new(), now(0));
    for _ in 0..10_000 {
        let seen = term(all.term().counter + 1000);
        all.raise_above(&agent("lane-1"), &seen);
    }
    assert!(all.term().counter <= 2 + TERM_LEAP_MAX, "{:?}", all.term());
}

#[test]
fn what_is_in_force_outlives_a_restart() {
    let mut before = Issued::new(term(1), Vec::new(), now(0));
    issue(&mut before, "lane-1", now(0));
    before.due(now(0).mono);
    let applied = DecisionAck { outcome: Outcome::Applied, ..superseded(&before, 1) };
    before.acknowledged(&agent("lane-1"), &applied, now(1));
    let mut after = Issued::new(term(2), before.take_changes(), now(5));
    assert_eq!(after.newest_body(&agent("lane-1"), "limit").unwrap()["limit_kmh"], 100);
    assert_eq!(after.due(now(5).mono), [], "and is not sent again");
}

#[test]
fn agents_of_long_ago_are_forgotten() {
    let mut all = Issued::new(term(1), Vec::new(), now(0));
    issue(&mut all, "lane-1", now(0));
    issue(&mut all, "lane-2", now(0));
    all.due(now(0).mono);
    let applied = DecisionAck { outcome: Outcome::Applied, ..superseded(&all, 1) };
    all.acknowledged(&agent("lane-2"), &applied, now(1));
    all.forget_all_but(|_| false);
    assert!(all.newest_body(&agent("lane-1"), "limit").is_some(), "it is not answered yet");
    assert!(all.newest_body(&agent("lane-2"), "limit").is_none());
}
