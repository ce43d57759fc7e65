//! CONNECT packets.

use crate::{
    packet::{frame, text},
    property::{self, Property},
};

/// A CONNECT, by default of MQTT 3.1.1 with a clean session and without keep-alive.
#[derive(Debug, Clone)]
pub(crate) struct Connect {
    id: String,
    clean: bool,
    keep_alive: u16,
    will: Option<Will>,
    properties: Option<Vec<Property>>,
}

/// What a server publishes for a client that is gone.
#[derive(Debug, Clone)]
pub(crate) struct Will {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    properties: Vec<Property>,
}

impl Will {
    /// A will of QoS 0 that is not retained.
    pub(crate) fn new(topic: &str, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        Self { topic: topic.to_owned(), payload, qos: 0, retain: false, properties: Vec::new() }
    }

    pub(crate) fn qos(self, qos: u8) -> Self {
        Self { qos, ..self }
    }

    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// With properties of MQTT 5.
    pub(crate) fn properties(self, properties: &[Property]) -> Self {
        Self { properties: properties.to_vec(), ..self }
    }

    fn flags(&self) -> u8 {
        0x04 | self.qos << 3 | u8::from(self.retain) << 5
    }
}

impl Connect {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), clean: true, keep_alive: 0, will: None, properties: None }
    }

    /// A CONNECT of MQTT 5 with a clean start.
    pub(crate) fn v5(id: &str, properties: &[Property]) -> Self {
        Self { properties: Some(properties.to_vec()), ..Self::new(id) }
    }

    /// With CleanSession 0, or Clean Start 0 (3.1.2.4).
    pub(crate) fn persistent(self) -> Self {
        Self { clean: false, ..self }
    }

    /// With CleanSession 1.
    pub(crate) fn clean(self) -> Self {
        Self { clean: true, ..self }
    }

    /// With a keep-alive in seconds.
    pub(crate) fn keep_alive(self, keep_alive: u16) -> Self {
        Self { keep_alive, ..self }
    }

    pub(crate) fn will(self, will: Will) -> Self {
        Self { will: Some(will), ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let flags = u8::from(self.clean) << 1 | self.will.as_ref().map_or(0, Will::flags);
        let level = if self.properties.is_some() { 5 } else { 4 };
        let mut body = header("MQTT", level, flags, self.keep_alive);
        let encode = |properties| if self.properties.is_some() { property::encode(properties) } else { Vec::new() };
        body.extend(encode(self.properties.as_deref().unwrap_or_default()));
        body.extend(text(&self.id));
        if let Some(will) = &self.will {
            body.extend(encode(&will.properties));
            body.extend(text(&will.topic));
            body.extend(text(&will.payload));
        }
        frame(0x10, &body)
    }
}

/// The variable header of a CONNECT up to MQTT 5's properties, whatever it says.
pub(crate) fn header(protocol: &str, level: u8, flags: u8, keep_alive: u16) -> Vec<u8> {
    let mut body = text(protocol);
    body.extend([level, flags]);
    body.extend(keep_alive.to_be_bytes());
    body
}
