//! Properties of MQTT 5: 2.2.2.

use crate::packet::{read_variable, text, variable};
use Value::{Binary, Byte, Four, Pair, Two, Variable};

pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
pub(crate) const CONTENT_TYPE: u8 = 0x03;
pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
pub(crate) const CORRELATION_DATA: u8 = 0x09;
pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
pub(crate) const SESSION_EXPIRY: u8 = 0x11;
pub(crate) const ASSIGNED_IDENTIFIER: u8 = 0x12;
pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
pub(crate) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
pub(crate) const WILL_DELAY: u8 = 0x18;
pub(crate) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
pub(crate) const RESPONSE_INFORMATION: u8 = 0x1a;
pub(crate) const SERVER_REFERENCE: u8 = 0x1c;
pub(crate) const REASON_STRING: u8 = 0x1f;
pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
pub(crate) const TOPIC_ALIAS: u8 = 0x23;
pub(crate) const MAXIMUM_QOS: u8 = 0x24;
pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
pub(crate) const USER_PROPERTY: u8 = 0x26;
pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
pub(crate) const WILDCARDS_AVAILABLE: u8 = 0x28;
pub(crate) const SUBSCRIPTION_IDENTIFIERS_AVAILABLE: u8 = 0x29;
pub(crate) const SHARED_AVAILABLE: u8 = 0x2a;

/// An identifier and its value.
pub(crate) type Property = (u8, Value);

/// A property's value, by its type on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Byte(u8),
    Two(u16),
    Four(u32),
    Variable(usize),
    /// Binary data, and strings.
    Binary(Vec<u8>),
    Pair(Vec<u8>, Vec<u8>),
}

impl Value {
    /// A string, or binary data.
    pub(crate) fn text(content: impl AsRef<[u8]>) -> Self {
        Binary(content.as_ref().to_vec())
    }

    /// Any of the integers.
    pub(crate) fn number(&self) -> usize {
        match self {
            Byte(value) => usize::from(*value),
            Two(value) => usize::from(*value),
            Four(value) => *value as usize,
            Variable(value) => *value,
            Binary(_) | Pair(..) => panic!("{self:?} is no number"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Byte(value) => vec![*value],
            Two(value) => value.to_be_bytes().to_vec(),
            Four(value) => value.to_be_bytes().to_vec(),
            Variable(value) => variable(*value),
            Binary(value) => text(value),
            Pair(name, value) => [text(name), text(value)].concat(),
        }
    }
}

/// A user property.
pub(crate) fn user(name: &str, value: &str) -> Property {
    (USER_PROPERTY, Pair(name.as_bytes().to_vec(), value.as_bytes().to_vec()))
}

/// Properties with their length in front.
pub(crate) fn encode(properties: &[Property]) -> Vec<u8> {
    let body: Vec<u8> = properties.iter().flat_map(|(id, value)| [vec![*id], value.bytes()].concat()).collect();
    [variable(body.len()), body].concat()
}

/// The properties at the start of `bytes`, and how many bytes they take with their length.
pub(crate) fn decode(bytes: &[u8]) -> (Vec<Property>, usize) {
    let (length, size) = read_variable(bytes).expect("properties have a length");
    let mut rest = bytes.get(size..size + length).expect("properties end before their packet");
    let mut properties = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        let (value, taken) = read_value(*id, after);
        properties.push((*id, value));
        rest = &after[taken..];
    }
    (properties, size + length)
}

fn read_value(id: u8, bytes: &[u8]) -> (Value, usize) {
    let data = |at: usize| {
        let length = usize::from(u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap()));
        (bytes[at + 2..at + 2 + length].to_vec(), at + 2 + length)
    };
    match id {
        PAYLOAD_FORMAT
        | REQUEST_PROBLEM_INFORMATION
        | REQUEST_RESPONSE_INFORMATION
        | MAXIMUM_QOS
        | RETAIN_AVAILABLE
        | WILDCARDS_AVAILABLE
        | SUBSCRIPTION_IDENTIFIERS_AVAILABLE
        | SHARED_AVAILABLE => (Byte(bytes[0]), 1),
        SERVER_KEEP_ALIVE | RECEIVE_MAXIMUM | TOPIC_ALIAS_MAXIMUM | TOPIC_ALIAS => {
            (Two(u16::from_be_bytes(bytes[..2].try_into().unwrap())), 2)
        }
        MESSAGE_EXPIRY | SESSION_EXPIRY | WILL_DELAY | MAXIMUM_PACKET_SIZE => {
            (Four(u32::from_be_bytes(bytes[..4].try_into().unwrap())), 4)
        }
        SUBSCRIPTION_IDENTIFIER => {
            let (value, size) = read_variable(bytes).unwrap();
            (Variable(value), size)
        }
        CONTENT_TYPE
        | RESPONSE_TOPIC
        | CORRELATION_DATA
        | ASSIGNED_IDENTIFIER
        | AUTHENTICATION_METHOD
        | AUTHENTICATION_DATA
        | RESPONSE_INFORMATION
        | SERVER_REFERENCE
        | REASON_STRING => {
            let (value, taken) = data(0);
            (Binary(value), taken)
        }
        USER_PROPERTY => {
            let (name, taken) = data(0);
            let (value, taken) = data(taken);
            (Pair(name, value), taken)
        }
        _ => panic!("there is no property {id:#x}"),
    }
}

/// The values of the properties with this identifier.
pub(crate) fn all(properties: &[Property], id: u8) -> Vec<Value> {
    properties.iter().filter(|property| property.0 == id).map(|property| property.1.clone()).collect()
}

/// The number that the property has, if it is there.
pub(crate) fn number(properties: &[Property], id: u8) -> Option<usize> {
    all(properties, id).first().map(Value::number)
}
