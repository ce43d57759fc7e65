//! CONNECT: the first packet of a connection, of either version.

use bytes::Bytes;

use super::{
    QoS, Version,
    properties::{
        self, AUTHENTICATION_DATA, AUTHENTICATION_METHOD, MAXIMUM_PACKET_SIZE, Property, PublishProperties,
        RECEIVE_MAXIMUM, REQUEST_PROBLEM, REQUEST_RESPONSE, SESSION_EXPIRY, TOPIC_ALIAS_MAXIMUM, USER,
    },
    reader::{Malformed, Reader},
};

const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// What a client asks for when it connects.
#[derive(Clone)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    /// Clean session (3.1.1) or clean start (5.0): forget what there was.
    pub(crate) clean: bool,
    /// Seconds between two packets, 0 for no bound.
    pub(crate) keep_alive: u16,
    /// Empty if the server is to choose one.
    pub(crate) client_id: String,
    pub(crate) will: Option<WillRequest>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Bytes>,
    /// Seconds that the session outlives the connection; 0 ends it at once, `u32::MAX` is for ever. 3.1.1 has the two extremes.
    pub(crate) session_expiry: u32,
    /// Most messages of QoS 1 and 2 that the client takes without having acknowledged them.
    pub(crate) receive_maximum: u16,
    /// Largest packet that the client takes.
    pub(crate) maximum_packet_size: u32,
    /// Most topics that the client lets the server give a number to.
    pub(crate) topic_alias_maximum: u16,
    /// The client wants to log in by AUTH packets (5.0, 4.12).
    pub(crate) wants_enhanced_authentication: bool,
}

/// The message that the server publishes when the connection ends without DISCONNECT.
#[derive(Debug, Clone)]
pub(crate) struct WillRequest {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: PublishProperties,
}

/// Why a CONNECT cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    /// A protocol or level that is not spoken here; the level tells how to say so.
    #[error("protocol level {0} is not spoken here, 4 (MQTT 3.1.1) and 5 are")]
    Version(u8),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// The level of MQTT 3.1, whose protocol has another name.
const LEVEL_OF_3_1: u8 = 3;

impl Connect {
    /// # Errors
    /// [`ConnectError::Version`] for MQTT 3.1 and levels unknown [MQTT-3.1.2-2]; malformed for anything else that is wrong.
    pub(crate) fn read(body: &[u8]) -> Result<Self, ConnectError> {
        let mut reader = Reader::new(body);
        let version = version(&mut reader)?;
        let flags = reader.u8()?;
        check_flags(flags, version)?;
        let keep_alive = reader.u16()?;
        let mut connect = Self {
            version,
            clean: flags & 0x02 != 0,
            keep_alive,
            client_id: String::new(),
            will: None,
            user: None,
            password: None,
            session_expiry: if version == Version::V311 && flags & 0x02 == 0 { u32::MAX } else { 0 },
            receive_maximum: u16::MAX,
            maximum_packet_size: u32::MAX,
            topic_alias_maximum: 0,
            wants_enhanced_authentication: false,
        };
        if version == Version::V5 {
            connect.read_properties(&mut reader)?;
        }
        connect.client_id = reader.string()?.to_owned();
        if flags & WILL != 0 {
            connect.will = Some(WillRequest::read(&mut reader, flags, version)?);
        }
        if flags & USER_NAME != 0 {
            connect.user = Some(reader.string()?.to_owned());
        }
        if flags & PASSWORD != 0 {
            connect.password = Some(Bytes::copy_from_slice(reader.binary()?));
        }
        reader.finish()?;
        Ok(connect)
    }

    fn read_properties(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let allowed = [
            SESSION_EXPIRY,
            RECEIVE_MAXIMUM,
            MAXIMUM_PACKET_SIZE,
            TOPIC_ALIAS_MAXIMUM,
            REQUEST_RESPONSE,
            REQUEST_PROBLEM,
            USER,
            AUTHENTICATION_METHOD,
            AUTHENTICATION_DATA,
        ];
        let mut authentication_data = false;
        properties::read(reader, &allowed, |property| {
            match property {
                Property::Binary(AUTHENTICATION_DATA, _) => authentication_data = true,
                Property::Four(SESSION_EXPIRY, seconds) => self.session_expiry = seconds,
                Property::Two(RECEIVE_MAXIMUM, 0) => return Err(Malformed("a receive maximum of 0")),
                Property::Two(RECEIVE_MAXIMUM, count) => self.receive_maximum = count,
                Property::Four(MAXIMUM_PACKET_SIZE, 0) => return Err(Malformed("a maximum packet size of 0")),
                Property::Four(MAXIMUM_PACKET_SIZE, bytes) => self.maximum_packet_size = bytes,
                Property::Two(TOPIC_ALIAS_MAXIMUM, count) => self.topic_alias_maximum = count,
                Property::Text(AUTHENTICATION_METHOD, _) => self.wants_enhanced_authentication = true,
                _ => {}
            }
            Ok(())
        })?;
        if authentication_data && !self.wants_enhanced_authentication {
            return Err(Malformed("authentication data without a method"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A password is never shown.
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl WillRequest {
    fn read(reader: &mut Reader<'_>, flags: u8, version: Version) -> Result<Self, Malformed> {
        let properties = match version {
            Version::V311 => PublishProperties::default(),
            Version::V5 => PublishProperties::read_will(reader)?,
        };
        Ok(Self {
            topic: reader.string()?.to_owned(),
            payload: Bytes::copy_from_slice(reader.binary()?),
            qos: QoS::from_bits(flags >> 3 & 0x03)?,
            retain: flags & WILL_RETAIN != 0,
            properties,
        })
    }
}

fn version(reader: &mut Reader<'_>) -> Result<Version, ConnectError> {
    let name = reader.binary()?;
    let level = reader.u8()?;
    match (name, level) {
        (b"MQTT", 4) => Ok(Version::V311),
        (b"MQTT", 5) => Ok(Version::V5),
        (b"MQTT", other) => Err(ConnectError::Version(other)),
        (b"MQIsdp", _) => Err(ConnectError::Version(LEVEL_OF_3_1)),
        _ => Err(Malformed("a protocol that is not MQTT").into()),
    }
}

/// Flags that contradict each other: the reserved one [MQTT-3.1.2-3], those of a will without one [MQTT-3.1.2-11, -13, -15],
/// and in 3.1.1 a password without user name [MQTT-3.1.2-22].
fn check_flags(flags: u8, version: Version) -> Result<(), Malformed> {
    if flags & 0x01 != 0 {
        return Err(Malformed("the reserved connect flag"));
    }
    if flags & WILL == 0 && flags & 0x38 != 0 {
        return Err(Malformed("will flags without a will"));
    }
    if version == Version::V311 && flags & PASSWORD != 0 && flags & USER_NAME == 0 {
        return Err(Malformed("a password without user name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rumqttc::{mqttbytes::v4, v5::mqttbytes::v5};

    use super::*;

    /// The body of a packet: what follows its length, which here has one byte.
    fn body(packet: &BytesMut) -> &[u8] {
        &packet[2..]
    }

    #[test]
    fn what_rumqttc_writes_as_3_1_1_reads_the_same() {
        let mut theirs = v4::Connect::new("car-1");
        theirs.keep_alive = 30;
        theirs.set_login("car-1", "secret");
        theirs.last_will = Some(v4::LastWill::new("a/b", "gone", rumqttc::QoS::AtLeastOnce, true));
        let mut packet = BytesMut::new();
        theirs.write(&mut packet).unwrap();

        let ours = Connect::read(body(&packet)).unwrap();
        assert_eq!(
            (ours.version, ours.clean, ours.keep_alive, ours.client_id.as_str()),
            (Version::V311, true, 30, "car-1")
        );
        assert_eq!((ours.user.as_deref(), ours.password.as_deref()), (Some("car-1"), Some(&b"secret"[..])));
        let will = ours.will.unwrap();
        assert_eq!(
            (will.topic.as_str(), &will.payload[..], will.qos, will.retain),
            ("a/b", &b"gone"[..], QoS::AtLeastOnce, true)
        );
    }

    #[test]
    fn what_rumqttc_writes_as_5_reads_the_same() {
        let mut properties = v5::ConnectProperties::new();
        properties.session_expiry_interval = Some(60);
        properties.receive_maximum = Some(5);
        properties.user_properties = vec![("a".into(), "b".into())];
        let theirs =
            v5::Connect { keep_alive: 9, client_id: "c".into(), clean_start: false, properties: Some(properties) };
        let mut packet = BytesMut::new();
        theirs.write(&None, &None, &mut packet).unwrap();

        let ours = Connect::read(body(&packet)).unwrap();
        assert_eq!((ours.version, ours.clean, ours.session_expiry, ours.receive_maximum), (Version::V5, false, 60, 5));
    }

    fn minimal(name: &[u8], level: u8, flags: u8) -> Vec<u8> {
        let length = u8::try_from(name.len()).unwrap();
        [&[0, length], name, &[level, flags, 0, 0, 0, 1, b'c']].concat()
    }

    #[test]
    fn versions_are_told_apart() {
        assert!(Connect::read(&minimal(b"MQTT", 4, 2)).is_ok());
        assert_eq!(Connect::read(&minimal(b"MQTT", 6, 2)).unwrap_err(), ConnectError::Version(6));
        assert_eq!(Connect::read(&minimal(b"MQIsdp", 3, 2)).unwrap_err(), ConnectError::Version(3));
        assert!(matches!(Connect::read(&minimal(b"hj", 4, 2)).unwrap_err(), ConnectError::Malformed(_)));
    }

    #[test]
    fn flags_that_contradict_each_other_are_malformed() {
        for flags in [0x03, 0x0a, 0x22, 0x42, 0x1e] {
            assert!(Connect::read(&minimal(b"MQTT", 4, flags)).is_err(), "{flags:#x}");
        }
    }

    #[test]
    fn nothing_may_follow() {
        let mut bytes = minimal(b"MQTT", 4, 2);
        bytes.push(0);
        assert!(Connect::read(&bytes).is_err());
    }

    #[test]
    fn a_password_is_not_shown() {
        let mut theirs = v4::Connect::new("c");
        theirs.set_login("u", "hush");
        let mut packet = BytesMut::new();
        theirs.write(&mut packet).unwrap();
        assert!(!format!("{:?}", Connect::read(body(&packet)).unwrap()).contains("hush"));
    }
}
