//! What is asked wrongly is refused with a text that says what to do.

use super::super::testing::Site;

const LISTS: [&str; 4] = ["regions", "agents", "limits", "dead-letters"];

#[tokio::test]
async fn limits_are_held() {
    let site = Site::start().await;
    for list in LISTS {
        for wrong in ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=", "limit=1&limit=2", "limi=1"] {
            let detail = site.refused("GET", &format!("/api/v1/{list}?{wrong}"), 400).await;
            assert!(detail.contains("limi"), "{list}?{wrong}: {detail}");
        }
        site.json(&format!("/api/v1/{list}?limit=1000")).await;
    }
}

#[tokio::test]
async fn only_what_a_page_said_comes_after_it() {
    let site = Site::start().await;
    for list in ["regions", "limits", "dead-letters"] {
        for wrong in ["1", "W10", "%00", "WyIxIiwiMiIsIjMiLCI0Il0"] {
            let detail = site.refused("GET", &format!("/api/v1/{list}?after={wrong}"), 400).await;
            assert!(detail.contains("after is"), "{list}?after={wrong}: {detail}");
        }
    }
}

#[tokio::test]
async fn what_there_is_not_says_so() {
    let site = Site::start().await;
    for path in ["/nothing", "/api/v1", "/api/v1/agents/north", "/api/v2/agents", "/docs/nothing.js", "/docs/../x"] {
        assert!(site.refused("GET", path, 404).await.contains("/docs"), "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_has_not_is_named_with_those_that_it_has() {
    let site = Site::start().await;
    for (method, path, allowed) in [
        ("POST", "/api/v1/agents", "GET,HEAD"),
        ("DELETE", "/api/v1/health", "GET,HEAD"),
        ("PUT", "/openapi.json", "GET,HEAD"),
        ("GET", "/api/v1/dead-letters/1/retry", "POST"),
        ("PATCH", "/api/v1/dead-letters/1", "DELETE"),
    ] {
        let answer = site.ask(method, path).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, allowed), "{method} {path}");
        assert!(site.refused(method, path, 405).await.contains(method));
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_a_problem_and_not_a_panic() {
    let site = Site::start().await;
    std::fs::remove_file(site.dir.path().join("fogline.db")).unwrap();
    for list in LISTS {
        assert!(site.refused("GET", &format!("/api/v1/{list}"), 503).await.contains("ask again"), "{list}");
    }
    site.json("/api/v1/health").await;
}
