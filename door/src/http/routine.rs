//! Changes that are no news.

/// A handler adds it to an answer, as an extension, when what was asked for is what the program is there for, many times a minute:
/// the log says such a change at `debug`, and all others at `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routine;
