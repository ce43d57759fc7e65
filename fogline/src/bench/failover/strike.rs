//! What is struck, and how soon the other site must have taken over.

use std::time::Duration;

/// A strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// SIGKILL of the ingester that leads.
    LeaderKilled,
    /// SIGTERM of the ingester that leads.
    LeaderStopped,
    /// SIGKILL of the broker that the agents use.
    BrokerKilled,
    /// SIGKILL of that broker and of the leader at once.
    SiteKilled,
}

impl Strike {
    /// All of them, in the order in which they are played.
    pub(crate) const ALL: [Self; 4] = [Self::LeaderKilled, Self::LeaderStopped, Self::BrokerKilled, Self::SiteKilled];

    /// In few words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LeaderKilled => "leader killed",
            Self::LeaderStopped => "leader stopped in order",
            Self::BrokerKilled => "broker killed",
            Self::SiteKilled => "broker and leader killed",
        }
    }

    /// What is waited for.
    pub(crate) const fn until(self) -> &'static str {
        match self {
            Self::LeaderKilled | Self::LeaderStopped => "first new reading stored by the other",
            Self::BrokerKilled | Self::SiteKilled => "every agent acknowledged again",
        }
    }

    /// How long that may take, with the defaults.
    pub(crate) const fn goal(self) -> Duration {
        match self {
            Self::LeaderKilled => Duration::from_secs(5),
            Self::LeaderStopped => Duration::from_secs(2),
            Self::BrokerKilled => Duration::from_secs(8),
            // An agent finds the other broker while the other ingester waits for the end of the lease, and speaks again
            // within its probe's pause.
            Self::SiteKilled => Duration::from_secs(10),
        }
    }

    pub(super) const fn takes_broker(self) -> bool {
        matches!(self, Self::BrokerKilled | Self::SiteKilled)
    }

    pub(super) const fn takes_leader(self) -> bool {
        !matches!(self, Self::BrokerKilled)
    }
}
