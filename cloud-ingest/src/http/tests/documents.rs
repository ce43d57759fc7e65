//! The document, and the page to try it.

use super::super::testing::{Answer, Site};
use std::io::Read as _;

fn unpacked(answer: &Answer) -> String {
    let mut text = String::new();
    match answer.header("content-encoding") {
        "gzip" => flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).unwrap(),
        _ => answer.body.as_slice().read_to_string(&mut text).unwrap(),
    };
    text
}

#[tokio::test]
async fn the_document_says_what_there_is() {
    let site = Site::start().await;
    let document = site.json("/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    insta::assert_json_snapshot!("paths", paths);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let named = ["summary", "operationId"]
                .iter()
                .all(|key| operation[key].as_str().is_some_and(|text| !text.is_empty()));
            assert!(named && operation["tags"][0].is_string(), "{method} {path}");
            for parameter in operation["parameters"].as_array().unwrap_or(&vec![]) {
                assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_to_try_it_is_all_here_and_has_no_inline_script() {
    let site = Site::start().await;
    assert_eq!(site.get("/docs").await.header("location"), "/docs/");
    let page = site.get("/docs/").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html"));
    let html = unpacked(&page);
    assert!(!html.contains("://"), "nothing is from elsewhere: {html}");
    let mut files = 0;
    for tag in html.split('<') {
        if tag.starts_with("script") {
            assert!(tag.split('>').nth(1).is_some_and(|text| text.trim().is_empty()), "an inline script: {tag}");
        }
        for file in ["src=\"", "href=\""].iter().filter_map(|name| tag.split_once(name)?.1.split('"').next()) {
            let file = file.trim_start_matches("./");
            assert_eq!(site.get(&format!("/docs/{file}")).await.status, 200, "{file}");
            files += 1;
        }
    }
    assert!(files >= 5, "{html}");
    let initializer = unpacked(&site.get("/docs/swagger-initializer.js").await);
    assert!(initializer.contains("/openapi.json") && !initializer.contains("://"), "{initializer}");
}
