//! The control room: a web page of this server's own files, which shows what the API says.
//!
//! The files are in the program, the same for everybody, and hold no data: they need no token, and the page asks for one
//! when the API does. All but the page itself have a hash of their content in their address, so that browsers keep them,
//! and never mix those of two versions.

use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::Html;
use axum::routing::get;
use axum::{Extension, Router};
use fogline_door::http::DataImages;
use ring::digest::{Context, SHA256};
use std::sync::LazyLock;

/// The page, with [`FOLDER_MARK`] and [`CHARTS_MARK`] where addresses belong.
const PAGE: &str = include_str!("room/index.html");
/// Stands in the page for the folder of its files.
const FOLDER_MARK: &str = "{{folder}}";
/// Stands in the page for the address of the script that draws charts.
const CHARTS_MARK: &str = "{{charts}}";

/// Plotly's script as its published crate has it, packed by `build.rs`.
const CHARTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/plotly.js.gz"));

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// A year: what has a hash in its address never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Name, type and content of each file of the page.
type File = (&'static str, &'static str, &'static str);

macro_rules! files {
    ($($kind:ident $name:literal),+ $(,)?) => { [$(($name, $kind, include_str!(concat!("room/", $name)))),+] };
}

/// All of them. A new view is one more line.
const FILES: [File; 25] = files![
    SCRIPT "api.js",
    SCRIPT "averages.js",
    SCRIPT "bars.js",
    SCRIPT "chart.js",
    STYLE "charts.css",
    SCRIPT "connection.js",
    SCRIPT "dom.js",
    SCRIPT "format.js",
    IMAGE "icon.svg",
    SCRIPT "lines.js",
    SCRIPT "main.js",
    STYLE "page.css",
    STYLE "parts.css",
    SCRIPT "series.js",
    SCRIPT "sse.js",
    SCRIPT "table.js",
    SCRIPT "tiles.js",
    SCRIPT "unlock.js",
    SCRIPT "views/city.js",
    SCRIPT "views/fleet.js",
    SCRIPT "views/garages.js",
    SCRIPT "views/health.js",
    SCRIPT "views/power.js",
    SCRIPT "views/road.js",
    SCRIPT "views/weather.js",
];

/// Where the files are: below a hash of all of them, so that one version's files find each other by relative addresses.
struct Addresses {
    folder: String,
    charts: String,
}

static ADDRESSES: LazyLock<Addresses> = LazyLock::new(|| Addresses {
    folder: format!("/room/{}", hash(FILES.iter().flat_map(|(name, _, text)| [name.as_bytes(), text.as_bytes()]))),
    charts: format!("/room/{}/plotly.js", hash([CHARTS])),
});

/// The paths of all files, for which nobody needs a token.
pub(super) fn open_paths() -> Vec<String> {
    let files = FILES.iter().map(|(name, ..)| format!("{}/{name}", ADDRESSES.folder));
    files.chain(["/".to_owned(), ADDRESSES.charts.clone()]).collect()
}

/// The page at `/`, and its files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = PAGE.replace(FOLDER_MARK, &ADDRESSES.folder).replace(CHARTS_MARK, &ADDRESSES.charts);
    // Plotly tries whether the browser knows a format of images, with one in an address.
    let page = get(async move || (Extension(DataImages), Html(page.clone())));
    let charts = get(async || ([(CONTENT_ENCODING, "gzip")], kept(SCRIPT), CHARTS));
    let routes = Router::new().route("/", page).route(&ADDRESSES.charts, charts);
    FILES.into_iter().fold(routes, |routes, (name, kind, text)| {
        routes.route(&format!("{}/{name}", ADDRESSES.folder), get(async move || (kept(kind), text)))
    })
}

/// What is said of a file that has a hash in its address.
fn kept(kind: &'static str) -> [(HeaderName, HeaderValue); 2] {
    [(CONTENT_TYPE, HeaderValue::from_static(kind)), (CACHE_CONTROL, FOR_EVER)]
}

/// Enough of SHA-256 to name a content.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    parts.into_iter().for_each(|part| context.update(part));
    context.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
