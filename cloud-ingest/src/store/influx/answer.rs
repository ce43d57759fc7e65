//! What the database's answer to a write means.

use fogline_protocol::store::StoreFault;
use influxdb2::RequestError;
use reqwest::StatusCode;

/// How much of an answer's text is shown, in characters.
const SHOWN_MAX_CHARS: usize = 300;

/// What became of a request, by what can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// All of it is in the database.
    Written,
    /// Halve it.
    TooLarge,
    /// Some line of it is bad; perhaps the others were written. What the database says about it.
    Refused(String),
    /// Ask again later, or call somebody.
    Fault(StoreFault),
}

impl From<Result<(), RequestError>> for Answer {
    fn from(result: Result<(), RequestError>) -> Self {
        match result {
            Ok(()) => Self::Written,
            Err(RequestError::Http { status, text }) => by_status(status, &text),
            Err(RequestError::ReqwestProcessing { source }) => by_transport(&source),
            Err(RequestError::Serializing { source }) => Self::Fault(StoreFault::Operator(source.to_string())),
            Err(RequestError::Deserializing { text }) => Self::Fault(StoreFault::Operator(text)),
        }
    }
}

fn by_status(status: StatusCode, text: &str) -> Answer {
    let text: String = text.trim().chars().take(SHOWN_MAX_CHARS).collect();
    let said = format!("InfluxDB answers {status}: {text}");
    match status.as_u16() {
        400 | 422 => Answer::Refused(said),
        413 => Answer::TooLarge,
        408 | 429 | 500..=599 => Answer::Fault(StoreFault::Transient(said)),
        401 => Answer::Fault(StoreFault::Operator(format!("{said}; give a token that is known there"))),
        403 => Answer::Fault(StoreFault::Operator(format!("{said}; give a token that may write into the bucket"))),
        404 => {
            Answer::Fault(StoreFault::Operator(format!("{said}; create the bucket, and see whether the URL is right")))
        }
        _ => Answer::Fault(StoreFault::Operator(format!("{said}; see whether this is an InfluxDB"))),
    }
}

fn by_transport(error: &reqwest::Error) -> Answer {
    if error.is_builder() {
        return Answer::Fault(StoreFault::Operator(format!("InfluxDB: {error}")));
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let what = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
    Answer::Fault(StoreFault::Transient(format!("InfluxDB {what}{cause}")))
}
