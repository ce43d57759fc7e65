//! Questions that an agent asks its ingester from time to time, and the answers.

use super::EdgeNode;
use crate::time::{Monotonic, Now, Wall};
use crate::topic::Up;
use crate::wire::{Message as _, Reply, Request};
use std::time::Duration;

/// A question without an answer is asked again after this long: as long as readings wait before they are sent again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// What to ask, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What: `occupancy`.
    pub what: String,
    /// From an answer to the next question.
    pub every: Duration,
}

/// The newest answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What was asked.
    pub what: String,
    /// The answer, in the words of its use case.
    pub body: serde_json::Value,
    /// When it came.
    pub received: Wall,
}

#[derive(Debug)]
struct Asked {
    question: Question,
    next: Monotonic,
    /// The number of the question that has no answer yet.
    open: Option<u64>,
    answer: Option<Answer>,
}

/// All questions.
#[derive(Debug)]
pub(super) struct Asking {
    asked: Vec<Asked>,
    /// The number of the last question.
    last: u64,
}

impl Asking {
    pub(super) fn new(questions: Vec<Question>, now: Monotonic) -> Self {
        let asked = |question| Asked { question, next: now, open: None, answer: None };
        Self { asked: questions.into_iter().map(asked).collect(), last: 0 }
    }

    /// The next question that is due.
    fn poll(&mut self, now: Monotonic) -> Option<Request> {
        let due = self.asked.iter_mut().find(|asked| asked.next <= now)?;
        self.last += 1;
        due.open = Some(self.last);
        due.next = now + ASK_AGAIN;
        Some(Request { request: self.last, what: due.question.what.clone() })
    }

    fn answered(&mut self, reply: &Reply, now: Now) {
        let open = |asked: &&mut Asked| asked.open == Some(reply.request) && asked.question.what == reply.what;
        if let Some(asked) = self.asked.iter_mut().find(open) {
            asked.open = None;
            asked.next = now.mono + asked.question.every;
            asked.answer = Some(Answer { what: reply.what.clone(), body: reply.body.clone(), received: now.wall });
        }
    }

    pub(super) fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.asked.iter().filter_map(|asked| asked.answer.as_ref())
    }

    pub(super) fn next(&self) -> Option<Monotonic> {
        self.asked.iter().map(|asked| asked.next).min()
    }
}

impl EdgeNode {
    pub(super) fn ask(&mut self, now: Monotonic) {
        while let Some(request) = self.asking.poll(now) {
            self.publish(Up::Request, request.encode(), false);
        }
    }

    pub(super) fn replied(&mut self, reply: &Reply, now: Now) {
        self.asking.answered(reply, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(s: u64) -> Now {
        Now { mono: Monotonic::from_us(s * 1_000_000), wall: Wall::from_us(7) }
    }

    #[test]
    fn a_question_is_asked_again_until_it_is_answered_and_then_at_its_interval() {
        let question = Question { what: "occupancy".to_owned(), every: Duration::from_secs(10) };
        let mut asking = Asking::new(vec![question], at(0).mono);
        let asked = |asking: &mut Asking, s| asking.poll(at(s).mono).map(|request| request.request);
        assert_eq!([0, 1, 2].map(|s| asked(&mut asking, s)), [Some(1), None, Some(2)]);
        let reply = |request| Reply { request, what: "occupancy".to_owned(), body: json!({ "occupied": request }) };
        asking.answered(&reply(1), at(3));
        assert_eq!(asking.answers().count(), 0, "the answer to a question that was asked again");
        asking.answered(&reply(2), at(3));
        assert_eq!(asking.answers().next().unwrap().body, json!({ "occupied": 2 }));
        assert_eq!([12, 13].map(|s| asked(&mut asking, s)), [None, Some(3)]);
    }
}
