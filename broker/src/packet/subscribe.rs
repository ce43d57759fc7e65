//! SUBSCRIBE and UNSUBSCRIBE.

use super::{
    QoS, Version,
    properties::{self, Property, SUBSCRIPTION_ID, USER},
    reader::{Malformed, Reader},
};

/// When the retained messages that match a new subscription are sent (5.0, 3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetainHandling {
    /// At every SUBSCRIBE, as 3.1.1 has it [MQTT-3.8.4-3].
    Always,
    /// Only if there was no such subscription.
    IfNew,
    Never,
}

/// How a subscriber wants the messages that match a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubscribeOptions {
    /// The highest QoS that messages come with.
    pub(crate) qos: QoS,
    /// Its own messages do not come back.
    pub(crate) no_local: bool,
    /// Messages keep the RETAIN flag that they were published with.
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
}

/// A request for messages, by one or more filters.
#[derive(Debug)]
pub(crate) struct Subscribe<'a> {
    pub(crate) id: u16,
    /// A number that comes with the messages, 1 to 268,435,455.
    pub(crate) subscription_id: Option<usize>,
    pub(crate) filters: Vec<(&'a str, SubscribeOptions)>,
}

impl<'a> Subscribe<'a> {
    pub(crate) fn read(body: &'a [u8], version: Version) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let id = reader.packet_id()?;
        let mut subscription_id = None;
        if version == Version::V5 {
            properties::read(&mut reader, &[SUBSCRIPTION_ID, USER], |property| {
                match property {
                    Property::Variable(_, 0) => return Err(Malformed("subscription identifier 0")),
                    Property::Variable(_, id) => subscription_id = Some(id),
                    _ => {}
                }
                Ok(())
            })?;
        }
        let mut filters = Vec::new();
        while !reader.is_empty() {
            let filter = reader.string()?;
            filters.push((filter, SubscribeOptions::read(reader.u8()?, version)?));
        }
        if filters.is_empty() {
            return Err(Malformed("SUBSCRIBE without a filter [MQTT-3.8.3-3]"));
        }
        Ok(Self { id, subscription_id, filters })
    }
}

impl SubscribeOptions {
    fn read(bits: u8, version: Version) -> Result<Self, Malformed> {
        let reserved = match version {
            Version::V311 => 0xfc,
            Version::V5 => 0xc0,
        };
        if bits & reserved != 0 {
            return Err(Malformed("reserved bits of a subscription [MQTT-3-8.3-4]"));
        }
        let retain_handling = match bits >> 4 {
            0 => RetainHandling::Always,
            1 => RetainHandling::IfNew,
            2 => RetainHandling::Never,
            _ => return Err(Malformed("retain handling 3")),
        };
        Ok(Self {
            qos: QoS::from_bits(bits & 0x03)?,
            no_local: bits & 0x04 != 0,
            retain_as_published: bits & 0x08 != 0,
            retain_handling,
        })
    }
}

/// The end of one or more subscriptions.
#[derive(Debug)]
pub(crate) struct Unsubscribe<'a> {
    pub(crate) id: u16,
    pub(crate) filters: Vec<&'a str>,
}

impl<'a> Unsubscribe<'a> {
    pub(crate) fn read(body: &'a [u8], version: Version) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let id = reader.packet_id()?;
        if version == Version::V5 {
            properties::skip(&mut reader, &[USER])?;
        }
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(reader.string()?);
        }
        if filters.is_empty() {
            return Err(Malformed("UNSUBSCRIBE without a filter [MQTT-3.10.3-2]"));
        }
        Ok(Self { id, filters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_come_with_their_options() {
        let read = Subscribe::read(b"\x00\x07\x00\x01a\x02\x00\x03b/#\x00", Version::V311).unwrap();
        let filters: Vec<_> = read.filters.iter().map(|(filter, options)| (*filter, options.qos)).collect();
        assert_eq!((read.id, filters), (7, vec![("a", QoS::ExactlyOnce), ("b/#", QoS::AtMostOnce)]));

        let read = Subscribe::read(b"\x00\x07\x02\x0b\x05\x00\x01a\x2d", Version::V5).unwrap();
        let options = read.filters[0].1;
        assert_eq!((read.subscription_id, options.qos), (Some(5), QoS::AtLeastOnce));
        assert_eq!((options.no_local, options.retain_as_published), (true, true));
        assert_eq!(options.retain_handling, RetainHandling::Never);
    }

    #[test]
    fn what_must_not_be_is_malformed() {
        for (body, what) in [
            (&b"\x00\x07"[..], "no filter"),
            (b"\x00\x00\x00\x01a\x00", "packet identifier 0"),
            (b"\x00\x07\x00\x01a\x03", "QoS 3"),
            (b"\x00\x07\x00\x01a\x04", "reserved bits"),
            (b"\x00\x07\x00\x01a", "cut off"),
        ] {
            assert!(Subscribe::read(body, Version::V311).is_err(), "{what}");
        }
        assert!(
            Subscribe::read(b"\x00\x07\x02\x0b\x00\x00\x01a\x00", Version::V5).is_err(),
            "subscription identifier 0"
        );
        assert!(Subscribe::read(b"\x00\x07\x00\x00\x01a\x30", Version::V5).is_err(), "retain handling 3");
        assert!(Unsubscribe::read(b"\x00\x07", Version::V311).is_err());
    }
}
