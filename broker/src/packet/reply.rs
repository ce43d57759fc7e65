//! What the server answers: CONNACK, SUBACK, UNSUBACK, PINGRESP and DISCONNECT.

use bytes::{BufMut, BytesMut};

use super::{
    Version,
    properties::{
        self, ASSIGNED_CLIENT_ID, MAXIMUM_PACKET_SIZE, Property, RECEIVE_MAXIMUM, SERVER_KEEP_ALIVE, SESSION_EXPIRY,
        TOPIC_ALIAS_MAXIMUM,
    },
    reason::Reason,
};

/// The answer to a CONNECT. What follows the reason is said in 5.0 only.
#[derive(Debug, Clone)]
pub(crate) struct ConnAck<'a> {
    pub(crate) session_present: bool,
    pub(crate) reason: Reason,
    /// If it is not what the client asked for.
    pub(crate) session_expiry: Option<u32>,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: u32,
    pub(crate) topic_alias_maximum: u16,
    /// If the client gave none.
    pub(crate) assigned_client_id: Option<&'a str>,
    /// If it is not what the client asked for.
    pub(crate) server_keep_alive: Option<u16>,
}

/// Appends a CONNACK. A refusal never says that a session is present [MQTT-3.2.2-4].
pub(crate) fn write_connack(out: &mut BytesMut, version: Version, connack: &ConnAck<'_>) {
    let accepted = connack.reason == Reason::Success;
    let present = u8::from(connack.session_present && accepted);
    match version {
        Version::V311 => out.put_slice(&[0x20, 2, present, connack.reason.connect_return_code()]),
        Version::V5 => {
            let properties = if accepted { accepted_properties(connack) } else { Vec::new() };
            let mut body = vec![present, connack.reason as u8];
            properties::write_variable(&mut body, properties.len());
            body.extend(properties);
            write_packet(out, 0x20, &body);
        }
    }
}

fn accepted_properties(connack: &ConnAck<'_>) -> Vec<u8> {
    let fixed = [
        Property::Two(RECEIVE_MAXIMUM, connack.receive_maximum),
        Property::Four(MAXIMUM_PACKET_SIZE, connack.maximum_packet_size),
        Property::Two(TOPIC_ALIAS_MAXIMUM, connack.topic_alias_maximum),
    ];
    let optional = [
        connack.session_expiry.map(|seconds| Property::Four(SESSION_EXPIRY, seconds)),
        connack.assigned_client_id.map(|id| Property::Text(ASSIGNED_CLIENT_ID, id)),
        connack.server_keep_alive.map(|seconds| Property::Two(SERVER_KEEP_ALIVE, seconds)),
    ];
    let mut encoded = Vec::new();
    fixed
        .into_iter()
        .chain(optional.into_iter().flatten())
        .for_each(|property| properties::write(&mut encoded, property));
    encoded
}

/// Appends a SUBACK: for each filter the granted QoS, or why it was refused, which 3.1.1 calls 0x80 whatever it was.
pub(crate) fn write_suback(out: &mut BytesMut, version: Version, id: u16, codes: &[Result<super::QoS, Reason>]) {
    let code = |code: &Result<super::QoS, Reason>| match (code, version) {
        (Ok(qos), _) => *qos as u8,
        (Err(_), Version::V311) => 0x80,
        (Err(reason), Version::V5) => *reason as u8,
    };
    write_answer(out, version, 0x90, id, codes.iter().map(code));
}

/// Appends an UNSUBACK; 3.1.1 has no codes in it.
pub(crate) fn write_unsuback(out: &mut BytesMut, version: Version, id: u16, reasons: &[Reason]) {
    let reasons = if version == Version::V5 { reasons } else { &[] };
    write_answer(out, version, 0xb0, id, reasons.iter().map(|reason| *reason as u8));
}

fn write_answer(out: &mut BytesMut, version: Version, first: u8, id: u16, codes: impl Iterator<Item = u8>) {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    body.extend(codes);
    write_packet(out, first, &body);
}

/// Appends a PINGRESP.
pub(crate) fn write_pingresp(out: &mut BytesMut) {
    out.put_slice(&[0xd0, 0]);
}

/// Appends a DISCONNECT; 3.1.1 has none from the server, which just closes.
pub(crate) fn write_disconnect(out: &mut BytesMut, version: Version, reason: Reason) {
    if version == Version::V5 {
        out.put_slice(&[0xe0, 1, reason as u8]);
    }
}

fn write_packet(out: &mut BytesMut, first: u8, body: &[u8]) {
    out.put_u8(first);
    properties::write_variable(out, body.len());
    out.put_slice(body);
}

#[cfg(test)]
mod tests {
    use rumqttc::{mqttbytes::v4, v5::mqttbytes::v5};

    use super::{super::QoS, *};

    fn connack(reason: Reason) -> ConnAck<'static> {
        ConnAck {
            session_present: true,
            reason,
            session_expiry: Some(60),
            receive_maximum: 100,
            maximum_packet_size: 65_536,
            topic_alias_maximum: 16,
            assigned_client_id: Some("auto-1"),
            server_keep_alive: None,
        }
    }

    #[test]
    fn rumqttc_reads_a_connack_of_5() {
        let mut out = BytesMut::new();
        write_connack(&mut out, Version::V5, &connack(Reason::Success));
        let v5::Packet::ConnAck(theirs) = v5::Packet::read(&mut out, None).unwrap() else { panic!() };
        let properties = theirs.properties.unwrap();
        assert!(theirs.session_present);
        assert_eq!((properties.receive_max, properties.topic_alias_max), (Some(100), Some(16)));
        assert_eq!(properties.assigned_client_identifier.as_deref(), Some("auto-1"));
        assert_eq!((properties.session_expiry_interval, properties.server_keep_alive), (Some(60), None));
    }

    #[test]
    fn a_refusal_has_the_return_code_of_3_1_1_and_no_session() {
        for (reason, code) in [
            (Reason::UnsupportedProtocolVersion, 1),
            (Reason::ClientIdentifierNotValid, 2),
            (Reason::ServerBusy, 3),
            (Reason::BadUserNameOrPassword, 4),
            (Reason::NotAuthorized, 5),
        ] {
            let mut out = BytesMut::new();
            write_connack(&mut out, Version::V311, &connack(reason));
            assert_eq!(&out[..], [0x20, 2, 0, code]);
        }
    }

    #[test]
    fn rumqttc_reads_the_other_answers() {
        let codes = [Ok(QoS::AtLeastOnce), Err(Reason::NotAuthorized)];
        let mut out = BytesMut::new();
        write_suback(&mut out, Version::V311, 7, &codes);
        write_unsuback(&mut out, Version::V311, 8, &[Reason::Success]);
        write_pingresp(&mut out);
        let v4::Packet::SubAck(suback) = v4::Packet::read(&mut out, 100).unwrap() else { panic!() };
        assert_eq!(
            suback.return_codes,
            [v4::SubscribeReasonCode::Success(rumqttc::QoS::AtLeastOnce), v4::SubscribeReasonCode::Failure]
        );
        assert!(matches!(v4::Packet::read(&mut out, 100).unwrap(), v4::Packet::UnsubAck(_)));
        assert!(matches!(v4::Packet::read(&mut out, 100).unwrap(), v4::Packet::PingResp));

        write_suback(&mut out, Version::V5, 7, &codes);
        write_unsuback(&mut out, Version::V5, 8, &[Reason::NoSubscriptionExisted]);
        write_disconnect(&mut out, Version::V5, Reason::SessionTakenOver);
        let v5::Packet::SubAck(suback) = v5::Packet::read(&mut out, None).unwrap() else { panic!() };
        assert_eq!(suback.return_codes[1], v5::SubscribeReasonCode::NotAuthorized);
        let v5::Packet::UnsubAck(unsuback) = v5::Packet::read(&mut out, None).unwrap() else { panic!() };
        assert_eq!(unsuback.reasons, [v5::UnsubAckReason::NoSubscriptionExisted]);
        assert_eq!(&out[..], [0xe0, 1, 0x8e]);
    }
}
