//! The city's API, small: as much of it as nodes and sensors ask for.

use fogline_protocol::city::{EdgeNode, NodeError, Place, admit, nearest};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers as long as the test lasts.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    nodes: Arc<Mutex<Vec<EdgeNode>>>,
}

impl Served {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let served = Self { address: listener.local_addr().unwrap(), nodes: Arc::default() };
        let answering = served.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Whoever asks may have gone.
                stream.and_then(|stream| answering.answer(stream)).ok();
            }
        });
        served
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.nodes.lock().unwrap().iter().map(|node| node.id.to_string()).collect()
    }

    /// As after a restart without memory.
    pub(crate) fn forget(&self) {
        self.nodes.lock().unwrap().clear();
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut words = first.split(' ');
        let (status, answer) = self.act(words.next().unwrap(), words.next().unwrap(), &body);
        write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{answer}", answer.len())
    }

    fn act(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let mut nodes = self.nodes.lock().unwrap();
        let all = |nodes: &Vec<EdgeNode>| serde_json::to_string(nodes).unwrap();
        match (method, path.split('?').next().unwrap()) {
            ("GET", "/api/init") => (200, "a-long-token".to_owned()),
            ("GET", "/api/nodes") if nodes.is_empty() => (404, String::new()),
            ("GET", "/api/nodes") => (200, all(&nodes)),
            ("POST", "/api/nodes") => {
                let node: EdgeNode = serde_json::from_slice(body).unwrap();
                match admit(&node, nodes.iter()) {
                    Ok(()) => nodes.push(node),
                    Err(NodeError::Taken(_)) => return (409, String::new()),
                    Err(error) => return (403, error.to_string()),
                }
                (200, all(&nodes))
            }
            ("DELETE", "/api/nodes") => {
                let node: EdgeNode = serde_json::from_slice(body).unwrap();
                nodes.retain(|other| other.id != node.id);
                (204, String::new())
            }
            ("GET", "/api/node/nearest") => {
                let numbers: Vec<u32> = path.split(['=', '&']).filter_map(|part| part.parse().ok()).collect();
                match nearest(Place { u: numbers[0], v: numbers[1] }, nodes.iter()) {
                    Some(node) => (200, serde_json::to_string(node).unwrap()),
                    None => (404, String::new()),
                }
            }
            _ => (404, String::new()),
        }
    }
}
