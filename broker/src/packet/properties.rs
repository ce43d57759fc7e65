//! Properties of MQTT 5.0 packets (2.2.2): which may stand where, each at most once, and what they hold.

use super::reader::{Malformed, Reader};

/// A property's identifier and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property<'a> {
    Byte(u8, u8),
    Two(u8, u16),
    Four(u8, u32),
    Variable(u8, usize),
    Text(u8, &'a str),
    Binary(u8, &'a [u8]),
    User(&'a str, &'a str),
}

pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
pub(crate) const CONTENT_TYPE: u8 = 0x03;
pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
pub(crate) const CORRELATION_DATA: u8 = 0x09;
pub(crate) const SUBSCRIPTION_ID: u8 = 0x0b;
pub(crate) const SESSION_EXPIRY: u8 = 0x11;
pub(crate) const ASSIGNED_CLIENT_ID: u8 = 0x12;
pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
pub(crate) const REQUEST_PROBLEM: u8 = 0x17;
pub(crate) const WILL_DELAY: u8 = 0x18;
pub(crate) const REQUEST_RESPONSE: u8 = 0x19;
pub(crate) const REASON_STRING: u8 = 0x1f;
pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
pub(crate) const TOPIC_ALIAS: u8 = 0x23;
pub(crate) const USER: u8 = 0x26;
pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;

/// Calls `each` with the properties that follow, after checking that each is among `allowed` and none comes twice, user
/// properties excepted.
pub(crate) fn read<'a>(
    reader: &mut Reader<'a>,
    allowed: &[u8],
    mut each: impl FnMut(Property<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let length = reader.variable()?;
    let mut inner = Reader::new(reader.take(length)?);
    let mut seen = 0_u64;
    while !inner.is_empty() {
        let id = inner.u8()?;
        if !allowed.contains(&id) {
            return Err(Malformed("a property that does not belong here"));
        }
        let bit = 1_u64 << id;
        if id != USER && seen & bit != 0 {
            return Err(Malformed("a property twice"));
        }
        seen |= bit;
        each(value(id, &mut inner)?)?;
    }
    Ok(())
}

fn value<'a>(id: u8, reader: &mut Reader<'a>) -> Result<Property<'a>, Malformed> {
    Ok(match id {
        PAYLOAD_FORMAT | REQUEST_PROBLEM | REQUEST_RESPONSE => match reader.u8()? {
            value @ (0 | 1) => Property::Byte(id, value),
            _ => return Err(Malformed("a property that must be 0 or 1")),
        },
        SERVER_KEEP_ALIVE | RECEIVE_MAXIMUM | TOPIC_ALIAS_MAXIMUM | TOPIC_ALIAS => Property::Two(id, reader.u16()?),
        MESSAGE_EXPIRY | SESSION_EXPIRY | WILL_DELAY | MAXIMUM_PACKET_SIZE => Property::Four(id, reader.u32()?),
        SUBSCRIPTION_ID => Property::Variable(id, reader.variable()?),
        CORRELATION_DATA | AUTHENTICATION_DATA => Property::Binary(id, reader.binary()?),
        USER => Property::User(reader.string()?, reader.string()?),
        CONTENT_TYPE | RESPONSE_TOPIC | AUTHENTICATION_METHOD | REASON_STRING | ASSIGNED_CLIENT_ID => {
            Property::Text(id, reader.string()?)
        }
        _ => return Err(Malformed("an unknown property")),
    })
}

/// Checks properties that nothing is done with.
pub(crate) fn skip(reader: &mut Reader<'_>, allowed: &[u8]) -> Result<(), Malformed> {
    read(reader, allowed, |_| Ok(()))
}

/// Appends one property.
pub(crate) fn write(out: &mut Vec<u8>, property: Property<'_>) {
    match property {
        Property::Byte(id, value) => out.extend([id, value]),
        Property::Two(id, value) => {
            out.push(id);
            out.extend(value.to_be_bytes());
        }
        Property::Four(id, value) => {
            out.push(id);
            out.extend(value.to_be_bytes());
        }
        Property::Variable(id, value) => {
            out.push(id);
            write_variable(out, value);
        }
        Property::Text(id, text) => {
            out.push(id);
            write_binary(out, text.as_bytes());
        }
        Property::Binary(id, bytes) => {
            out.push(id);
            write_binary(out, bytes);
        }
        Property::User(key, value) => {
            out.push(USER);
            write_binary(out, key.as_bytes());
            write_binary(out, value.as_bytes());
        }
    }
}

/// Bytes after their 16-bit length; what was read so is never longer.
#[expect(
    clippy::cast_possible_truncation,
    reason = "all that is written was read from a field of this kind, or is our own"
)]
fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend(bytes);
}

/// A variable byte integer (1.5.5), at most 268,435,455.
#[expect(clippy::cast_possible_truncation, reason = "the low seven bits")]
pub(crate) fn write_variable(out: &mut impl Extend<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        out.extend([if value == 0 { byte } else { byte | 0x80 }]);
        if value == 0 {
            return;
        }
    }
}

/// Appends how long a message is still of use, in seconds [MQTT-3.3.2-6].
pub(crate) fn expiry_property(out: &mut Vec<u8>, seconds: u64) {
    write(out, Property::Four(MESSAGE_EXPIRY, u32::try_from(seconds).unwrap_or(u32::MAX)));
}

/// Appends the number of a subscription that a message matches [MQTT-3.3.4-3].
pub(crate) fn subscription_id_property(out: &mut Vec<u8>, id: usize) {
    write(out, Property::Variable(SUBSCRIPTION_ID, id));
}

/// Appends the number that stands for the topic [MQTT-3.3.2-8].
pub(crate) fn topic_alias_property(out: &mut Vec<u8>, alias: u16) {
    write(out, Property::Two(TOPIC_ALIAS, alias));
}

/// What the properties of a PUBLISH, or of a will, say to the server, and what goes on to the subscribers as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PublishProperties {
    /// Properties for the subscribers, encoded, without their length. User properties keep their order [MQTT-3.3.2-17].
    pub(crate) forwarded: Vec<u8>,
    /// Seconds after which the message is of no use.
    pub(crate) expiry: Option<u32>,
    /// A number that stands for a topic on this connection.
    pub(crate) alias: Option<u16>,
    /// Seconds between the end of the connection and the will.
    pub(crate) will_delay: u32,
}

impl PublishProperties {
    /// Of a PUBLISH (3.3.2.3). A client may not send a subscription identifier [MQTT-3.3.4-6].
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Self::read_allowed(
            reader,
            &[PAYLOAD_FORMAT, MESSAGE_EXPIRY, TOPIC_ALIAS, RESPONSE_TOPIC, CORRELATION_DATA, USER, CONTENT_TYPE],
        )
    }

    /// Of a will (3.1.3.2).
    pub(crate) fn read_will(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Self::read_allowed(
            reader,
            &[WILL_DELAY, PAYLOAD_FORMAT, MESSAGE_EXPIRY, RESPONSE_TOPIC, CORRELATION_DATA, USER, CONTENT_TYPE],
        )
    }

    fn read_allowed(reader: &mut Reader<'_>, allowed: &[u8]) -> Result<Self, Malformed> {
        let mut known = Self::default();
        read(reader, allowed, |property| {
            match property {
                Property::Four(MESSAGE_EXPIRY, seconds) => known.expiry = Some(seconds),
                Property::Four(WILL_DELAY, seconds) => known.will_delay = seconds,
                Property::Two(TOPIC_ALIAS, alias) => known.alias = Some(alias),
                Property::Text(RESPONSE_TOPIC, topic) if topic.contains(['+', '#']) => {
                    return Err(Malformed("a response topic with wildcards"));
                }
                other => write(&mut known.forwarded, other),
            }
            Ok(())
        })?;
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let properties = [
            Property::Byte(PAYLOAD_FORMAT, 1),
            Property::Two(TOPIC_ALIAS, 7),
            Property::Four(MESSAGE_EXPIRY, 60),
            Property::Variable(SUBSCRIPTION_ID, 300),
            Property::Text(CONTENT_TYPE, "text/plain"),
            Property::Binary(CORRELATION_DATA, &[1, 2, 3]),
            Property::User("a", "1"),
            Property::User("a", "2"),
        ];
        let mut inner = Vec::new();
        properties.iter().for_each(|property| write(&mut inner, *property));
        let mut bytes = Vec::new();
        write_variable(&mut bytes, inner.len());
        bytes.extend(inner);

        let mut seen = Vec::new();
        let allowed =
            [PAYLOAD_FORMAT, TOPIC_ALIAS, MESSAGE_EXPIRY, SUBSCRIPTION_ID, CONTENT_TYPE, CORRELATION_DATA, USER];
        let mut reader = Reader::new(&bytes);
        read(&mut reader, &allowed, |property| {
            seen.push(property);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, properties);
        assert!(reader.is_empty());
    }

    #[test]
    fn a_property_twice_out_of_place_or_out_of_range_is_malformed() {
        let twice = [4, PAYLOAD_FORMAT, 1, PAYLOAD_FORMAT, 1];
        assert!(PublishProperties::read(&mut Reader::new(&twice)).is_err());
        let out_of_place = [3, RECEIVE_MAXIMUM, 0, 1];
        assert!(PublishProperties::read(&mut Reader::new(&out_of_place)).is_err());
        let out_of_range = [2, PAYLOAD_FORMAT, 2];
        assert!(PublishProperties::read(&mut Reader::new(&out_of_range)).is_err());
        let cut_off = [5, PAYLOAD_FORMAT, 1];
        assert!(PublishProperties::read(&mut Reader::new(&cut_off)).is_err());
    }
}
