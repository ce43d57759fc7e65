//! What can be said of the page without a browser.

use super::*;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use std::collections::BTreeSet;
use std::path::Path;
use tower_service::Service;

async fn ask(path: &str) -> Response<Body> {
    let mut routes: Router = routes();
    routes.call(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(answer: Response<Body>) -> String {
    String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

/// The files of a folder and of those in it, by their path in it.
fn found(folder: &Path, below: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let names = entries.flat_map(|entry| {
        let name = format!("{below}{}", entry.file_name().into_string().unwrap());
        if entry.path().is_dir() { found(&entry.path(), &format!("{name}/")) } else { BTreeSet::from([name]) }
    });
    names.collect()
}

#[test]
fn every_file_of_the_folder_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/room");
    let mut found = found(&folder, "");
    found.retain(|name| !name.ends_with(".rs") && name != "index.html");
    assert_eq!(found, FILES.iter().map(|(name, ..)| (*name).to_owned()).collect());
}

#[tokio::test]
async fn all_that_needs_no_token_is_there_and_may_be_kept() {
    for path in open_paths() {
        let answer = ask(&path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let kept = answer.headers().get(CACHE_CONTROL).cloned();
        assert_eq!(kept, (path != "/").then_some(FOR_EVER), "{path}: the page itself names the files of its version");
    }
    assert_eq!(ask("/room/0000000000000000/main.js").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_names_files_that_are_there() {
    let page = text(ask("/").await).await;
    let named: Vec<_> = page.split('"').filter(|part| part.starts_with("/room/")).collect();
    assert!(named.len() >= 5, "{named:?}");
    for path in named {
        assert!(open_paths().iter().any(|open| open == path), "{path}");
    }
    assert!(!page.contains("{{"), "a mark is left in it");
}

/// The policy of the door forbids what is inline; what comes from elsewhere would not be there without a network.
#[test]
fn nothing_is_inline_or_from_elsewhere() {
    let texts = FILES.iter().map(|(name, _, text)| (*name, *text)).chain([("index.html", PAGE)]);
    for (name, text) in texts {
        for wrong in ["style=", "<style", "onclick=", "https://", "url(http", "@import"] {
            assert!(!text.contains(wrong), "{name} has {wrong}");
        }
    }
    for line in PAGE.lines().filter(|line| line.contains("<script")) {
        assert!(line.contains("src=") && line.contains("></script>"), "{line}");
    }
}

/// What comes from the server is text and never markup or code.
#[test]
fn scripts_make_no_markup_and_no_code_of_texts() {
    let scripts = FILES.iter().filter(|(name, ..)| name.ends_with(".js"));
    for (name, _, text) in scripts {
        for wrong in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
            "cookie",
        ] {
            assert!(!text.contains(wrong), "{name} has {wrong}");
        }
    }
}

#[test]
fn imports_lead_to_files_that_are_there() {
    let names: BTreeSet<_> = FILES.iter().map(|(name, ..)| *name).collect();
    for (name, _, text) in FILES.iter().filter(|(name, ..)| name.ends_with(".js")) {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for line in text.lines().filter(|line| line.starts_with("import ")) {
            let path = line.split('"').nth(1).unwrap_or_else(|| panic!("{name}: {line}"));
            let imported = match path.strip_prefix("../") {
                Some(above) => above.to_owned(),
                None if folder.is_empty() => path.trim_start_matches("./").to_owned(),
                None => format!("{folder}/{}", path.trim_start_matches("./")),
            };
            assert!(names.contains(imported.as_str()), "{name} imports {path}");
        }
    }
}

/// Two of them in a program would cost 3 MB for nothing.
#[test]
fn the_script_of_the_charts_is_packed() {
    assert_eq!(CHARTS.get(..2), Some([0x1f, 0x8b].as_slice()), "gzip (RFC 1952)");
    assert!(CHARTS.len() < 2_000_000, "{} bytes", CHARTS.len());
}

#[test]
fn addresses_change_with_the_content() {
    assert_eq!(hash([b"a".as_slice()]), "ca978112ca1bbdca");
    assert_ne!(hash([b"a".as_slice()]), hash([b"b".as_slice()]));
}
