//! Spans as OTLP says them: <https://opentelemetry.io/docs/specs/otlp/>, JSON encoding.

use super::batch_id::BatchId;
use fogline_protocol::time::Wall;
use serde_json::{Value as Json, json};

/// What is said of a span besides its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Int(u64),
    /// A text.
    Text(String),
}

/// What went on with a batch for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Which batch.
    pub batch: BatchId,
    /// What went on; unique within the trace.
    pub name: &'static str,
    /// The name of the span around it; none for the outermost.
    pub parent: Option<&'static str>,
    /// When it began.
    pub from: Wall,
    /// When it ended, not before.
    pub to: Wall,
    /// More of it, by name.
    pub values: Vec<(&'static str, Value)>,
}

impl Span {
    /// The same with one value more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.values.push((name, value));
        self
    }

    fn json(&self) -> Json {
        let mut span = json!({
            "traceId": self.batch.trace_id(),
            "spanId": self.batch.span_id(self.name),
            "name": self.name,
            "kind": kind(self.name),
            "startTimeUnixNano": nanos(self.from),
            "endTimeUnixNano": nanos(self.to),
            "attributes": self.values.iter().map(|(name, value)| attribute(name, value)).collect::<Vec<_>>(),
        });
        if let (Some(parent), Some(span)) = (self.parent, span.as_object_mut()) {
            span.insert("parentSpanId".to_owned(), self.batch.span_id(parent).into());
        }
        span
    }
}

/// `PRODUCER`, `CONSUMER` or `INTERNAL`.
fn kind(name: &str) -> u8 {
    match name {
        "publish" => 4,
        "receive" => 5,
        _ => 1,
    }
}

/// Integers of 64 bits are texts in the JSON of protobuf.
fn nanos(time: Wall) -> String {
    (i128::from(time.us()) * 1000).max(0).to_string()
}

fn attribute(name: &str, value: &Value) -> Json {
    let value = match value {
        Value::Int(number) => json!({ "intValue": number.to_string() }),
        Value::Text(text) => json!({ "stringValue": text }),
    };
    json!({ "key": name, "value": value })
}

/// The body of a request.
pub(super) fn body(service: &str, instance: &str, spans: &[Span]) -> String {
    let resource = [
        attribute("service.name", &Value::Text(service.to_owned())),
        attribute("service.instance.id", &Value::Text(instance.to_owned())),
        attribute("service.version", &Value::Text(env!("CARGO_PKG_VERSION").to_owned())),
    ];
    json!({
        "resourceSpans": [{
            "resource": { "attributes": resource },
            "scopeSpans": [{
                "scope": { "name": "fogline" },
                "spans": spans.iter().map(Span::json).collect::<Vec<_>>(),
            }],
        }],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::ids::StreamId;

    #[test]
    fn a_span_is_said_as_the_specification_wants_it() {
        let batch = BatchId { stream: StreamId::from_bits(1), first: 2 };
        let span = super::super::span(batch, "store", Some("publish"), Wall::from_us(5), Wall::from_us(3));
        let text = body("fogline-ingest", "ingest-1", &[span.with("readings", Value::Int(3))]);
        let value: Json = serde_json::from_str(&text).unwrap();
        let span = &value["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "00000000000000010000000000000002");
        assert_eq!((&span["startTimeUnixNano"], &span["endTimeUnixNano"]), (&"5000".into(), &"5000".into()));
        assert_eq!(span["parentSpanId"], batch.span_id("publish"));
        assert_eq!(span["attributes"][0]["value"]["intValue"], "3");
        assert_eq!(value["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"], "fogline-ingest");
    }
}
