//! Several sources in one running agent: each goes on by itself, and is tuned by its name.

use crate::program::{Running, run};
use crate::settings::AgentArgs;
use crate::status::{SourceState, ask};
use crate::tuning::Tuning;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pushes a reading, and gives the answer.
fn push(address: SocketAddr) -> String {
    let deadline = std::time::Instant::now() + PATIENCE;
    let body = r#"{"fields":{"level_pct":7}}"#;
    let request = format!(
        "POST /readings HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    loop {
        let mut answer = String::new();
        let asked = TcpStream::connect(address).and_then(|mut stream| {
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut answer)
        });
        if asked.is_ok() {
            return answer;
        }
        assert!(std::time::Instant::now() < deadline, "{asked:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn file(folder: &Path, push_to: SocketAddr) -> String {
    let text = format!(
        "data_dir = '{}'\nhttp = '127.0.0.1:0'\nbrokers = ['127.0.0.1:9']\nsource = 'simulate'\nrate = 0\ncount = 5\n\
         [[sources]]\ntype = 'http'\nlisten = '{push_to}'\nsensor = 'tank'\n\
         [[sources]]\ntype = 'exec'\nname = 'slow'\ncommand = 'echo 1'\nevery = '1h'\n",
        folder.join("data").display()
    );
    let path = folder.join("agent.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn several_sources_go_on_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody takes it again before the agent does, as ports go.
    let push_to = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = Some(file(folder.path(), push_to).into());
    let config = AgentArgs { config, ..AgentArgs::default() }.resolve().unwrap();
    let (tunings, data_dir) = (config.tunings.clone(), config.data_dir.clone());
    let ((ready, running), (stop, stopped)) = (oneshot::channel(), oneshot::channel::<()>());
    let agent = tokio::spawn(run(config, async move { stopped.await.unwrap_or_default() }, ready));
    let Running { mut snapshots, url, .. } = running.await.unwrap();

    // The simulator has ended, and the command was asked once; the others go on.
    let begun = snapshots.wait_for(|agent| agent.source.accepted >= 6);
    tokio::time::timeout(PATIENCE, begun).await.unwrap().unwrap();
    let answer = tokio::task::spawn_blocking(move || push(push_to)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"committed":1}"#), "{answer}");
    let asked = data_dir.clone();
    let report = tokio::task::spawn_blocking(move || ask(&asked)).await.unwrap().unwrap();
    let each = report.live.as_ref().unwrap().source.each.clone();
    let states: Vec<(&str, SourceState, u64)> =
        each.iter().map(|source| (source.name.as_str(), source.state, source.offered)).collect();
    let expected =
        [("simulate", SourceState::Ended, 5), ("http", SourceState::Running, 1), ("slow", SourceState::Running, 1)];
    assert_eq!(states, expected);
    assert_eq!(report.queue.readings, 7, "answered is queued");
    assert!(report.to_string().contains("slow      running, 1 readings, 0 skipped"), "{report}");

    let metrics = url.unwrap().trim_start_matches("http://").parse().unwrap();
    let page = fogline_door::http::Ask::new(metrics, "/metrics");
    let page = tokio::task::spawn_blocking(move || fogline_door::http::ask(&page)).await.unwrap().unwrap().1;
    assert!(page.contains("\nfogline_agent_each_source_offered_total{source=\"simulate\"} 5\n"), "{page}");
    assert!(page.contains("\nfogline_agent_each_source_running{source=\"http\"} 1\n"), "{page}");

    // An hour becomes a tenth of a second while it waits.
    tunings.set(Some("slow"), Tuning { sampling: Some(Duration::from_millis(100)), window: None });
    let tuned = snapshots.wait_for(|agent| agent.source.accepted >= 10);
    tokio::time::timeout(PATIENCE, tuned).await.unwrap().unwrap();

    stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, agent).await.unwrap().unwrap().unwrap();
}
