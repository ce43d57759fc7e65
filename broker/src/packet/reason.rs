//! Reason codes (MQTT 5.0, 2.4), and the CONNACK return codes of 3.1.1 that they stand for.

/// Why something was done or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Reason {
    Success = 0x00,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    MalformedPacket = 0x81,
    ProtocolError = 0x82,
    UnsupportedProtocolVersion = 0x84,
    ClientIdentifierNotValid = 0x85,
    BadUserNameOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerBusy = 0x89,
    ServerShuttingDown = 0x8b,
    BadAuthenticationMethod = 0x8c,
    KeepAliveTimeout = 0x8d,
    SessionTakenOver = 0x8e,
    TopicFilterInvalid = 0x8f,
    TopicNameInvalid = 0x90,
    PacketIdentifierNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    ConnectionRateExceeded = 0x9f,
}

impl Reason {
    /// The return code of a 3.1.1 CONNACK (3.1.1, 3.2.2.3) that says the same as nearly as it can.
    pub(crate) fn connect_return_code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::BadUserNameOrPassword => 4,
            Self::NotAuthorized | Self::TopicNameInvalid => 5,
            _ => 3,
        }
    }

    /// A word for metrics and log lines.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NoMatchingSubscribers => "no_matching_subscribers",
            Self::NoSubscriptionExisted => "no_subscription_existed",
            Self::MalformedPacket => "malformed_packet",
            Self::ProtocolError => "protocol_error",
            Self::UnsupportedProtocolVersion => "unsupported_protocol_version",
            Self::ClientIdentifierNotValid => "client_identifier_not_valid",
            Self::BadUserNameOrPassword => "bad_user_name_or_password",
            Self::NotAuthorized => "not_authorized",
            Self::ServerBusy => "server_busy",
            Self::ServerShuttingDown => "server_shutting_down",
            Self::BadAuthenticationMethod => "bad_authentication_method",
            Self::KeepAliveTimeout => "keep_alive_timeout",
            Self::SessionTakenOver => "session_taken_over",
            Self::TopicFilterInvalid => "topic_filter_invalid",
            Self::TopicNameInvalid => "topic_name_invalid",
            Self::PacketIdentifierNotFound => "packet_identifier_not_found",
            Self::ReceiveMaximumExceeded => "receive_maximum_exceeded",
            Self::TopicAliasInvalid => "topic_alias_invalid",
            Self::PacketTooLarge => "packet_too_large",
            Self::QuotaExceeded => "quota_exceeded",
            Self::AdministrativeAction => "administrative_action",
            Self::ConnectionRateExceeded => "connection_rate_exceeded",
        }
    }
}
