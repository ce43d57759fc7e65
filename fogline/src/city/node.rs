//! One node: registered at the API, an agent, and the machine beside it.

use super::api::{Api, ApiError, Registration};
use anyhow::{Context, bail};
use fogline_agent::peers::{PeerEvent, PeerHandle, peers};
use fogline_agent::program::{self, AgentSnapshot};
use fogline_agent::settings::AgentConfig;
use fogline_protocol::city::node::{CityNode, NodeConfig, NodeEffect, NodeInput, NodeSnapshot};
use fogline_protocol::city::{EdgeNode, Place};
use fogline_protocol::topic::neighbour_filters;
use fogline_runtime::clock::{Clock, entropy};
use fogline_runtime::driver::{Shell, drive};
use fogline_runtime::link::Publish;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Between two questions to an API that does not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// Answers of the API that wait for the machine: it asks no faster than they come.
const ANSWERS_MAX: usize = 8;
/// How often a node is shown to those who watch it.
const VIEW_EVERY: Duration = Duration::from_millis(250);
/// How long a node that has left may take to send what is in its queue. What is left is sent at its next start.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// What a node is told at its start.
pub(super) struct NodeStart {
    pub(super) api: Api,
    pub(super) agent: AgentConfig,
    /// Where it may stand, in this order.
    pub(super) places: Vec<Place>,
    pub(super) host: String,
}

/// A node, for those who watch it in this process.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// As it is registered.
    pub node: EdgeNode,
    /// The machine.
    pub city: NodeSnapshot,
    /// Its agent.
    pub agent: watch::Receiver<AgentSnapshot>,
}

/// Runs a node until `stop` completes, and then lets it leave in order. Says through `ready` when it is registered and its
/// agent runs.
pub(super) async fn run(
    start: NodeStart,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: oneshot::Sender<watch::Receiver<NodeView>>,
) -> anyhow::Result<()> {
    let NodeStart { api, agent, places, host } = start;
    tokio::pin!(stop);
    let registered = tokio::select! {
        () = &mut stop => return Ok(()),
        registered = register(&api, &agent, places, host) => registered?,
    };
    let (token, node) = registered;
    let result = run_registered(&api, agent, token, node.clone(), &mut stop, ready).await;
    if result.is_err() {
        // It may have gone before it could leave.
        api.remove(&node).await.ok();
    }
    result
}

/// Waits for an API that answers; gives its token and the node as it is registered.
async fn register(
    api: &Api,
    agent: &AgentConfig,
    places: Vec<Place>,
    host: String,
) -> anyhow::Result<(String, EdgeNode)> {
    let token = patiently(|| api.token()).await?;
    let mut refusal = "no place was given".to_owned();
    for Place { u, v } in places {
        let node = EdgeNode { id: agent.id.agent.clone(), host: host.clone(), ports: BTreeMap::new(), u, v };
        match patiently(|| api.register(&node)).await? {
            Registration::Done => {
                tracing::info!(node = %node.id, u, v, "registered");
                return Ok((token, node));
            }
            Registration::Taken => {
                bail!("the id {} is taken: choose another --name, or remove that node first", node.id)
            }
            Registration::Place(reason) => refusal = reason,
        }
    }
    bail!("{} finds no place: {refusal}", agent.id.agent)
}

/// Asks again while nobody answers.
async fn patiently<T, F: Future<Output = Result<T, ApiError>>>(mut ask: impl FnMut() -> F) -> Result<T, ApiError> {
    let mut said = false;
    loop {
        match ask().await {
            Err(error @ (ApiError::Ask(_) | ApiError::Refused { status: 421 | 500.., .. })) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(%error, "the API does not answer yet: asking again");
                }
                tokio::time::sleep(AGAIN).await;
            }
            answer => return answer,
        }
    }
}

async fn run_registered(
    api: &Api,
    config: AgentConfig,
    token: String,
    node: EdgeNode,
    stop: impl Future<Output = ()> + Send,
    ready: oneshot::Sender<watch::Receiver<NodeView>>,
) -> anyhow::Result<()> {
    let clock = Clock::new();
    let id = config.id.clone();
    let (agent_peers, handle) = peers(neighbour_filters(&id).to_vec());
    let (stop_agent, agent_stops) = oneshot::channel::<()>();
    let (said, running) = oneshot::channel();
    // Whose owner is gone stops too.
    let agent =
        async move { program::run_with(config, Some(agent_peers), async { drop(agent_stops.await) }, said).await };
    let agent = tokio::spawn(agent);
    let Ok(running) = running.await else {
        return agent.await.context("the agent crashed")?.context("the agent of the node");
    };
    let mut machine = CityNode::new(NodeConfig::new(id, node.place(), token, entropy()), clock.now());
    let first = NodeView { node: node.clone(), city: machine.snapshot(clock.now().mono), agent: running.snapshots };
    let mut agent_now = first.agent.clone();
    let (view, watched) = watch::channel(first);
    // Nobody may be waiting to hear it.
    ready.send(watched).ok();
    let (answer, answers) = mpsc::channel(ANSWERS_MAX);
    let mut shell = NodeShell {
        api: api.clone(),
        node,
        handle,
        answer,
        answers,
        clock,
        view,
        next_view: Instant::now(),
        leaving: false,
        left: false,
    };
    // The machine runs on until it has left.
    let mut leaving = std::pin::pin!(stop);
    drive(&mut machine, &mut shell, &clock, &mut leaving).await;
    if !agent.is_finished() {
        shell.leaving = true;
        api.remove(&shell.node).await.unwrap_or_else(|error| tracing::warn!(%error, "not removed from the API"));
        fogline_protocol::node::Machine::handle(&mut machine, NodeInput::Leave, clock.now());
        drive(&mut machine, &mut shell, &clock, std::future::pending()).await;
        let sent = agent_now.wait_for(|agent| agent.edge.usage.readings == 0);
        if tokio::time::timeout(SEND_WITHIN, sent).await.is_err() {
            tracing::info!(node = %shell.node.id, "what is in the queue will be sent at the next start");
        }
    }
    stop_agent.send(()).ok();
    agent.await.context("the agent crashed")?.context("the agent of the node")
}

struct NodeShell {
    api: Api,
    node: EdgeNode,
    handle: PeerHandle,
    answer: mpsc::Sender<NodeInput>,
    answers: mpsc::Receiver<NodeInput>,
    clock: Clock,
    view: watch::Sender<NodeView>,
    next_view: Instant,
    leaving: bool,
    left: bool,
}

impl Shell<CityNode> for NodeShell {
    fn start(&mut self, effect: NodeEffect) {
        match effect {
            NodeEffect::Publish(publish) => {
                let payload = publish.payload.into();
                self.handle.publish(Publish { topic: publish.topic, payload, retain: publish.retain });
            }
            NodeEffect::Upload { ticket, readings } => self.handle.append(ticket, readings),
            NodeEffect::AskToken => self.ask(|api| async move { api.token().await.ok().map(NodeInput::Token) }),
            NodeEffect::AskNodes => self.ask(|api| async move { api.nodes().await.ok().map(NodeInput::Nodes) }),
            NodeEffect::Register if self.leaving => {}
            NodeEffect::Register => self.register_again(),
            NodeEffect::Forget(node) => {
                tracing::warn!(node = %node.id, "silent: removed from the API");
                self.ask(|api| async move { api.remove(&node).await.err().and(None) });
            }
            NodeEffect::Left => self.left = true,
        }
    }

    async fn next(&mut self, _: &CityNode) -> Option<NodeInput> {
        if self.left {
            return None;
        }
        tokio::select! {
            biased;
            event = self.handle.next() => Some(match event? {
                PeerEvent::Connected => NodeInput::Connected,
                PeerEvent::Disconnected => NodeInput::Disconnected,
                PeerEvent::Message { topic, payload } => NodeInput::Message { topic, payload },
                PeerEvent::Committed { ticket } => NodeInput::Uploaded { ticket },
            }),
            Some(answer) = self.answers.recv() => Some(answer),
        }
    }

    fn observe(&mut self, node: &mut CityNode) {
        let now = Instant::now();
        if self.next_view <= now || self.left {
            self.next_view = now + VIEW_EVERY;
            let city = node.snapshot(self.clock.now().mono);
            self.view.send_modify(|view| view.city = city);
        }
    }
}

impl NodeShell {
    /// Asks the API; what it answers comes as an input. Without an answer the machine asks again by itself.
    fn ask<F: Future<Output = Option<NodeInput>> + Send + 'static>(&self, ask: impl FnOnce(Api) -> F) {
        let (answer, asking) = (self.answer.clone(), ask(self.api.clone()));
        tokio::spawn(async move {
            if let Some(input) = asking.await {
                // One that waits already says as much.
                answer.try_send(input).ok();
            }
        });
    }

    /// The API has forgotten it: it was started anew, or took it for dead.
    fn register_again(&self) {
        let node = self.node.clone();
        self.ask(|api| async move {
            match api.register(&node).await {
                Ok(Registration::Done | Registration::Taken) => tracing::info!(node = %node.id, "registered again"),
                Ok(Registration::Place(reason)) => tracing::warn!(node = %node.id, reason, "not registered again"),
                Err(error) => tracing::warn!(node = %node.id, %error, "not registered again"),
            }
            None
        });
    }
}
