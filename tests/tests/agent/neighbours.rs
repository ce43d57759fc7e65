//! What a machine beside the agent says last is said, however soon the agent is told to end.

use fogline_agent::peers::{PeerEvent, peers};
use fogline_agent::program::run_with;
use fogline_agent::settings::{AgentConfig, SourceConfig};
use fogline_protocol::ids::{AgentId, Name};
use fogline_runtime::link::Publish;
use fogline_tests::real::{Broker, Kind, Watcher};
use tokio::sync::oneshot;

const TOPIC: &str = "fogline/v1/city/peers/a-1/global";

#[tokio::test]
async fn the_last_words_of_a_neighbour_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(Kind::Embedded, folder.path()).unwrap();
    let Some(watcher) = Watcher::start(&broker, TOPIC) else { return };
    let id = AgentId { region: Name::new("city").unwrap(), agent: Name::new("a-1").unwrap() };
    let brokers = vec![broker.address().parse().unwrap()];
    let config = AgentConfig::new(id, brokers, folder.path().join("a-1"), SourceConfig::None);
    let (neighbours, mut handle) = peers(Vec::new());
    let ((stop, stops), (ready, running)) = (oneshot::channel::<()>(), oneshot::channel());
    let agent = tokio::spawn(run_with(config, Some(neighbours), async { drop(stops.await) }, ready));
    running.await.unwrap();
    while handle.next().await.expect("the agent goes on") != PeerEvent::Connected {}
    // Both before the agent's loop turns again.
    handle.publish(Publish { topic: TOPIC.to_owned(), payload: r#"{"last":"words"}"#.into(), retain: false });
    stop.send(()).unwrap();
    agent.await.unwrap().unwrap();
    assert_eq!(watcher.message(TOPIC, "last")["last"], "words");
}
