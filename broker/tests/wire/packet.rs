//! Packets of a client, well formed.

/// The version that a connection speaks; the number is its protocol level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V311 = 4,
    V5 = 5,
}

/// What a CONNECT says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connect<'a> {
    pub(crate) version: Version,
    pub(crate) id: &'a str,
    pub(crate) clean: bool,
    /// Seconds.
    pub(crate) keep_alive: u16,
    /// Topic and payload, at QoS 1.
    pub(crate) will: Option<(&'a str, &'a [u8])>,
    /// Whether the broker is to keep the will for those who come later.
    pub(crate) will_is_retained: bool,
    /// User name and password.
    pub(crate) login: Option<(&'a str, &'a str)>,
    /// Encoded, without their length; for 5.0.
    pub(crate) properties: &'a [u8],
}

impl<'a> Connect<'a> {
    /// A clean session over 3.1.1, without will.
    pub(crate) fn new(id: &'a str) -> Self {
        Self {
            version: Version::V311,
            id,
            clean: true,
            keep_alive: 60,
            will: None,
            will_is_retained: false,
            login: None,
            properties: &[],
        }
    }

    pub(crate) fn packet(&self) -> Vec<u8> {
        let flags = [
            (self.will.is_some(), 0x0c),
            (self.will_is_retained, 0x20),
            (self.login.is_some(), 0xc0),
            (self.clean, 0x02),
        ];
        let mut body = text("MQTT");
        body.extend([self.version as u8, flags.iter().filter(|(set, _)| *set).map(|(_, bits)| bits).sum()]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.version == Version::V5 {
            body.extend(length(self.properties.len()));
            body.extend(self.properties);
        }
        body.extend(text(self.id));
        if let Some((topic, payload)) = self.will {
            body.extend(no_properties(self.version));
            body.extend(text(topic));
            body.extend(binary(payload));
        }
        if let Some((user, password)) = self.login {
            body.extend(text(user));
            body.extend(text(password));
        }
        packet(0x10, &body)
    }
}

/// A packet of any first byte.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    packet.extend(length(body.len()));
    packet.extend(body);
    packet
}

/// A variable byte integer.
pub(crate) fn length(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        bytes.push(if value == 0 { byte } else { byte | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

/// Bytes behind their length.
pub(crate) fn binary(bytes: &[u8]) -> Vec<u8> {
    let mut field = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    field.extend(bytes);
    field
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    binary(text.as_bytes())
}

fn no_properties(version: Version) -> &'static [u8] {
    if version == Version::V5 { &[0] } else { &[] }
}

/// A PUBLISH; `id` is left out at QoS 0.
pub(crate) fn publish(version: Version, topic: &str, qos: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    publish_with(version, qos << 1, topic, id, &[], payload)
}

/// The same with all flags, and with properties for 5.0, encoded.
pub(crate) fn publish_with(
    version: Version,
    flags: u8,
    topic: &str,
    id: u16,
    properties: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut body = text(topic);
    if flags & 0x06 != 0 {
        body.extend(id.to_be_bytes());
    }
    if version == Version::V5 {
        body.extend(length(properties.len()));
        body.extend(properties);
    }
    body.extend(payload);
    packet(0x30 | flags, &body)
}

/// A SUBSCRIBE of filters with their options.
pub(crate) fn subscribe(version: Version, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(no_properties(version));
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

pub(crate) fn unsubscribe(version: Version, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(no_properties(version));
    filters.iter().for_each(|filter| body.extend(text(filter)));
    packet(0xa2, &body)
}

/// PUBACK (0x40), PUBREC (0x50), PUBREL (0x62) or PUBCOMP (0x70).
pub(crate) fn ack(first: u8, id: u16) -> Vec<u8> {
    packet(first, &id.to_be_bytes())
}

pub(crate) fn ping() -> Vec<u8> {
    vec![0xc0, 0]
}

pub(crate) fn disconnect() -> Vec<u8> {
    vec![0xe0, 0]
}
