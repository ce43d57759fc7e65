//! `up/request` and `down/reply`: a question of an agent, and the answer.

use super::{Message, WireError, check_seq};
use crate::ids::is_name;
use serde::{Deserialize, Serialize};

/// A question. Asked again until it is answered; nothing is lost with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The number of this question, counted by the agent's process from 1: the answer repeats it.
    pub request: u64,
    /// What is asked: `occupancy`.
    pub what: String,
}

/// An answer, on `down/reply` or with an [`super::Ack`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The number of the question.
    pub request: u64,
    /// What was asked.
    pub what: String,
    /// The answer, in the words of its use case.
    pub body: serde_json::Value,
}

impl Message for Request {
    fn check(&self) -> Result<(), WireError> {
        check(self.request, &self.what)
    }
}

impl Message for Reply {
    fn check(&self) -> Result<(), WireError> {
        check(self.request, &self.what)
    }
}

fn check(request: u64, what: &str) -> Result<(), WireError> {
    check_seq("request", request)?;
    if is_name(what) { Ok(()) } else { Err(WireError::Value { what: "what" }) }
}
