//! Settings that several programs share.

mod security;
mod traces;

pub use security::SecuritySettings;
pub use traces::TracesSettings;
