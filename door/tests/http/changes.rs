//! What changes something is in the log, with who asked for it; not at each reading that is pushed.

use crate::server::Server;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// What was said, with its level.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<(Level, String)>>>);

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl<S: Subscriber> Layer<S> for Said {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = String::new();
        event.record(&mut Text(&mut text));
        self.0.lock().unwrap().push((*event.metadata().level(), text));
    }
}

impl Said {
    /// The levels of what was said of this path, and the last of it.
    fn of(&self, path: &str) -> (Vec<Level>, String) {
        let said = self.0.lock().unwrap();
        let of: Vec<&(Level, String)> = said.iter().filter(|(_, text)| text.contains(path)).collect();
        (of.iter().map(|(level, _)| *level).collect(), of.last().map(|(_, text)| text.clone()).unwrap_or_default())
    }
}

/// On one thread: what is said there goes to the test.
#[tokio::test(flavor = "current_thread")]
async fn a_change_is_said_and_what_is_pushed_all_day_only_to_who_debugs() {
    let said = Said::default();
    let _heard = tracing::subscriber::set_default(tracing_subscriber::registry().with(said.clone()));
    let server = Server::with_tokens().await;
    for _ in 0..3 {
        assert_eq!(server.ask_as(&server.operator, "POST", "/pushed").await.status, 200);
    }
    assert_eq!(server.ask_as(&server.operator, "POST", "/who").await.status, 200);
    assert_eq!(server.ask_as(&server.operator, "GET", "/readyz").await.status, 200);
    assert_eq!(said.of("/pushed").0, [Level::DEBUG; 3]);
    let (levels, text) = said.of("/who");
    assert_eq!(levels, [Level::INFO]);
    assert!(text.contains("anna") && text.contains("status=200"), "{text}");
    assert!(said.of("/readyz").0.is_empty(), "it changes nothing");
}
