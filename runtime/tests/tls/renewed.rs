//! Files that change while a link runs.

use crate::authority::Authority;
use crate::client::{Client, Files};
use crate::server::Server;

#[tokio::test]
async fn renewed_files_count_at_the_next_connect() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (files, first, second) = (Files::new(&old), old.client("lane-1"), new.client("lane-1"));
    files.show(&first);
    let mut server = Server::requiring(&old.server(&["127.0.0.1"]), &old).await;
    let mut client = Client::start(server.address("127.0.0.1"), files.showing());
    let accepted = server.accept().await;
    client.connected().await;
    assert_eq!(accepted.certificate().as_ref(), Some(first.certificate.der()));

    files.trust(&new);
    files.show(&second);
    server.renew(&new.server(&["127.0.0.1"]), &new);
    drop(accepted);
    client.disconnected().await;
    let accepted = server.accept().await;
    client.connected().await;
    assert_eq!(accepted.certificate().as_ref(), Some(second.certificate.der()));
}

#[tokio::test]
async fn a_file_that_breaks_is_a_failed_attempt_and_not_the_end() {
    let ours = Authority::new("ours");
    let files = Files::new(&ours);
    let server = Server::start(&ours.server(&["127.0.0.1"])).await;
    let mut client = Client::start(server.address("127.0.0.1"), files.trusting());
    let accepted = server.accept().await;
    client.connected().await;

    files.write("ca.pem", "half a fi");
    drop(accepted);
    client.disconnected().await;
    client.until(|metrics| metrics.failures >= 3).await;
    files.trust(&ours);
    let _accepted = server.accept().await;
    client.connected().await;
}
