//! What is wrong is refused and slowed, and what is right is let in beside it.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::{
    client::{VERSIONS, knock, log_in},
    site::{Site, token},
    wire::{Connect, Version},
};

/// Wrong attempts that a user has from one address, before it has to wait.
const BURST: usize = 10;

/// Bad user name or password: 3.1.1, 3.2.2.3; 5.0, 3.2.2.2.
fn bad_credentials(version: Version) -> u8 {
    if version == Version::V5 { 0x86 } else { 0x04 }
}

/// Connection rate exceeded, which 3.1.1 calls "server unavailable".
fn too_many(version: Version) -> u8 {
    if version == Version::V5 { 0x9f } else { 0x03 }
}

#[tokio::test]
async fn wrong_secrets_are_refused_and_slowed_and_a_right_token_gets_in_beside_them() {
    for (version, name) in VERSIONS.into_iter().zip(["lane-1-north", "lane-10-north"]) {
        let site = Site::start().await;
        let address = site.address();
        let mut guessing = JoinSet::new();
        for n in 0..BURST {
            guessing.spawn(async move {
                let guess = format!("guess-{n}");
                let connect = Connect { version, login: Some((name, &guess)), ..Connect::new(name) };
                knock(address, &connect).await.1
            });
        }
        assert_eq!(guessing.join_all().await, [bad_credentials(version); BURST]);
        let connect = Connect { version, login: Some((name, "one more")), ..Connect::new(name) };
        let start = Instant::now();
        assert_eq!(knock(address, &connect).await.1, too_many(version));
        assert!(start.elapsed().as_millis() < 500, "it is not even looked at: {:?}", start.elapsed());
        // The same user, from the same address, with what is right.
        let mut client = log_in(address, version, name).await;
        assert_eq!(client.subscribe(version, &format!("fogline/v1/north/{name}/down/#"), 1).await, 1);
    }
}

#[tokio::test]
async fn a_name_that_is_nobodys_is_answered_like_a_wrong_password() {
    let site = Site::start().await;
    for version in VERSIONS {
        let token = token("lane-1-north");
        for (name, password) in
            [("nobody", "guess"), ("lane-1-north", "guess"), ("lane-10-north", token.as_str()), ("", "")]
        {
            let connect = Connect { version, login: Some((name, password)), ..Connect::new("lane-1-north") };
            let start = Instant::now();
            assert_eq!(knock(site.address(), &connect).await.1, bad_credentials(version), "{name}");
            assert!(start.elapsed().as_millis() >= 500, "{name}: {:?}", start.elapsed());
        }
    }
}
