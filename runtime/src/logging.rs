//! Logs on standard error, as all programs have them: the broker too, which depends on the door only.

pub use fogline_door::logging::{LogArgs, LogError, LogFormat};
