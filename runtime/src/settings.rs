//! Settings that several programs share.

mod security;

pub use security::SecuritySettings;
