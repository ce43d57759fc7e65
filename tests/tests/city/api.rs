//! The city's API, as nodes and sensors see it.

use fogline_protocol::city::sensors::Nearest;
use fogline_protocol::city::{EdgeNode, Place, admit, nearest};

/// The registered nodes. Keeps nothing when it is started again.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) nodes: Vec<EdgeNode>,
    pub(crate) token: String,
    pub(crate) up: bool,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self { nodes: Vec::new(), token: "token-1".to_owned(), up: true }
    }

    pub(crate) fn register(&mut self, node: &EdgeNode) {
        if self.up && admit(node, self.nodes.iter()).is_ok() {
            self.nodes.push(node.clone());
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if self.up {
            self.nodes.retain(|node| node.id.as_str() != id);
        }
    }

    pub(crate) fn nearest(&self, place: Place) -> Nearest {
        match nearest(place, self.nodes.iter()) {
            _ if !self.up => Nearest::Failed,
            None => Nearest::NoNode,
            Some(node) => Nearest::Node(node.clone()),
        }
    }

    /// It has lost all that it knew.
    pub(crate) fn restart(&mut self, token: &str) {
        self.nodes.clear();
        token.clone_into(&mut self.token);
    }
}
