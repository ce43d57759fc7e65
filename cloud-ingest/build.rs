//! Takes the script of the charts out of the crate `plotly`, and packs it, so that the program carries what goes to browsers
//! and nothing else: see `src/http/room.rs`.

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::PathBuf;

const OPEN: &str = "<script type=\"text/javascript\">";
const CLOSE: &str = "</script>";

fn main() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let tags = plotly::Plot::offline_js_sources();
    let script = script_of_plotly(&tags).context("the crate plotly gives its script in another shape: see build.rs")?;
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").context("Cargo says where to build")?);
    let file = std::fs::File::create(folder.join("plotly.js.gz"))?;
    let mut packed = GzEncoder::new(file, Compression::best());
    packed.write_all(script.as_bytes())?;
    packed.finish()?.sync_all()?;
    Ok(())
}

/// The first of two scripts; the second typesets formulas, which no chart here has.
fn script_of_plotly(tags: &str) -> Option<&str> {
    let script = tags.split_once(OPEN)?.1.split_once(CLOSE)?.0;
    let head = script.get(..200)?;
    head.contains("plotly.js v").then_some(script)
}
