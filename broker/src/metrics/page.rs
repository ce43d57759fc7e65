//! The counts as a page for Prometheus (its text format, version 0.0.4).

use std::fmt::{Display, Write};

use crate::gate::Gate;

/// The page.
pub(crate) fn page(gate: &Gate) -> String {
    let metrics = &gate.metrics;
    let (retained, retained_bytes) = gate.retained.size();
    let mut page = Page::default();
    page.counter("connections_accepted_total", "Connections that were accepted.", metrics.accepted.get());
    page.states(&[
        ("handshaking", metrics.handshaking.get()),
        ("connected", metrics.connected.get()),
        ("asleep", metrics.asleep.get()),
    ]);
    page.gauge("client_ids", "Client ids in use, of connections and kept sessions.", gate.registry.len());
    page.counter("messages_in_total", "Messages that clients published.", metrics.messages_in.get());
    page.counter("messages_out_total", "Messages that were sent to clients.", metrics.messages_out.get());
    page.counter("bytes_in_total", "Bytes that came from clients.", metrics.bytes_in.get());
    page.counter("bytes_out_total", "Bytes that went to clients.", metrics.bytes_out.get());
    page.counter("wills_total", "Wills that were published.", metrics.wills.get());
    page.counter("slow_consumers_total", "Clients disconnected because too much waited.", metrics.slow_consumers.get());
    page.counter(
        "sessions_overflowed_total",
        "Kept sessions ended for the same reason.",
        metrics.sessions_overflowed.get(),
    );
    page.counter("too_large_for_client_total", "Messages a client would not take.", metrics.too_large_for_client.get());
    page.counter("not_retained_total", "Messages not retained, for want of room.", metrics.not_retained.get());
    page.counter("connections_lost_total", "Connections that ended without DISCONNECT.", metrics.lost.get());
    page.gauge("retained_messages", "Retained messages.", retained);
    page.gauge("retained_bytes", "Bytes of the retained messages.", retained_bytes);
    page.gauge("subscriptions", "Subscriptions.", gate.subscriptions.count());
    page.gauge("waiting_bytes", "Bytes that wait for slow or absent clients.", gate.waiting_bytes());
    page.gauge("intake_waiting", "Messages that wait for the router.", gate.intake.waiting());
    page.gauge("round_trip_seconds", "Last round trip through the router.", seconds(metrics.round_trip_micros.get()));
    page.refusals(&metrics.refusals());
    page.line(format_args!("# HELP fogline_build_info The program.\n# TYPE fogline_build_info gauge"));
    let version = env!("CARGO_PKG_VERSION");
    page.line(format_args!("fogline_build_info{{program=\"fogline-broker\",version=\"{version}\"}} 1"));
    page.text += &fogline_service::reload::metrics("fogline_broker");
    page.text
}

#[expect(clippy::cast_precision_loss, reason = "a round trip has few digits")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        self.text.write_fmt(line).unwrap_or_default();
        self.text.push('\n');
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP fogline_broker_{name} {help}"));
        self.line(format_args!("# TYPE fogline_broker_{name} {kind}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.line(format_args!("fogline_broker_{name} {value}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "gauge");
        self.line(format_args!("fogline_broker_{name} {value}"));
    }

    fn states(&mut self, states: &[(&str, u64)]) {
        self.head("clients", "Clients, by state.", "gauge");
        for (state, count) in states {
            self.line(format_args!("fogline_broker_clients{{state=\"{state}\"}} {count}"));
        }
    }

    fn refusals(&mut self, refusals: &[(&str, &str, u64)]) {
        self.head("refusals_total", "What was refused, and why.", "counter");
        for (what, reason, count) in refusals {
            self.line(format_args!("fogline_broker_refusals_total{{what=\"{what}\",reason=\"{reason}\"}} {count}"));
        }
    }
}
