//! Sensors that are not there: one client for all of them, each at its place.

use super::api::Api;
use fogline_protocol::city::node::NodeState;
use fogline_protocol::city::sensors::{Sensors, SensorsConfig, SensorsEffect, SensorsInput, SensorsSnapshot};
use fogline_protocol::ids::AgentId;
use fogline_protocol::rng::Rng;
use fogline_protocol::topic::neighbour_filters;
use fogline_runtime::clock::Clock;
use fogline_runtime::driver::{Shell, drive};
use fogline_runtime::link::{Link, LinkConfig, LinkEvent, LinkEvents, LinkHandle, Publish};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Answers of the API that wait for the machine: no more than there are questions under way, and a few tokens.
const ANSWERS_MAX: usize = 1024;
/// How many questions are under way at once: a city of sensors that starts must not flood the API.
const QUESTIONS_MAX: usize = 8;
/// How long to say goodbye to the broker.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// How often sensors are shown to those who watch them.
const VIEW_EVERY: Duration = Duration::from_millis(250);
/// How far a sensor's air is from that of another place, and how far it moves at once, in µg/m³.
const AIR: (f64, f64) = (60.0, 2.0);

/// What sensors are told at their start.
pub(super) struct SensorsStart {
    pub(super) api: Api,
    pub(super) link: LinkConfig,
    pub(super) id: AgentId,
    pub(super) places: Vec<fogline_protocol::city::Place>,
    /// Samples a second of each sensor.
    pub(super) rate: f64,
    pub(super) token: String,
    pub(super) seed: u64,
}

/// Runs sensors until `stop` completes.
pub(super) async fn run(
    start: SensorsStart,
    stop: impl Future<Output = ()> + Send,
    view: watch::Sender<SensorsSnapshot>,
) -> anyhow::Result<()> {
    let SensorsStart { api, mut link, id, places, rate, token, seed } = start;
    let clock = Clock::new();
    link.subscriptions = neighbour_filters(&id).into_iter().skip(2).collect();
    let (link, events) = Link::start(link, |_| None)?;
    let sensors: Vec<_> = (1..).zip(places).map(|(number, place)| (format!("pm-{number}"), place)).collect();
    let mut rng = Rng::new(seed);
    let air = sensors.iter().map(|_| rng.between(5.0, AIR.0)).collect();
    let config = SensorsConfig { id, sensors, token, keep_alive: Duration::from_secs(2), seed: rng.next_u64() };
    let mut machine = Sensors::new(config, clock.now());
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate.clamp(0.01, 100.0)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (answer, answers) = mpsc::channel(ANSWERS_MAX);
    let asking = Arc::new(Semaphore::new(QUESTIONS_MAX));
    let mut shell = SensorsShell {
        api,
        link,
        events,
        answer,
        answers,
        asking,
        ticks,
        air,
        turn: None,
        rng,
        view,
        next_view: Instant::now(),
    };
    drive(&mut machine, &mut shell, &clock, stop).await;
    shell.view.send_replace(machine.snapshot());
    shell.link.close(CLOSE_WITHIN).await;
    Ok(())
}

struct SensorsShell {
    api: Api,
    link: LinkHandle,
    events: LinkEvents,
    answer: mpsc::Sender<SensorsInput>,
    answers: mpsc::Receiver<SensorsInput>,
    asking: Arc<Semaphore>,
    ticks: Interval,
    /// What each sensor measures.
    air: Vec<f64>,
    /// Which sensor samples next, while all of them do.
    turn: Option<usize>,
    rng: Rng,
    view: watch::Sender<SensorsSnapshot>,
    next_view: Instant,
}

impl Shell<Sensors> for SensorsShell {
    fn start(&mut self, effect: SensorsEffect) {
        match effect {
            SensorsEffect::Publish(publish) => {
                let payload = publish.payload.into();
                // What the link does not take is sent again.
                self.link.publish(Publish { topic: publish.topic, payload, retain: false }).ok();
            }
            SensorsEffect::AskNearest { sensor, place } => {
                self.ask(|api| async move { Some(SensorsInput::Nearest { sensor, nearest: api.nearest(place).await }) })
            }
            SensorsEffect::AskToken => self.ask(|api| async move { api.token().await.ok().map(SensorsInput::Token) }),
        }
    }

    async fn next(&mut self, _: &Sensors) -> Option<SensorsInput> {
        if let Some(sensor) = self.turn {
            self.turn = Some(sensor + 1).filter(|next| *next < self.air.len());
            return Some(SensorsInput::Sampled { sensor, pm10_ugm3: self.sample(sensor) });
        }
        tokio::select! {
            biased;
            event = self.events.recv() => Some(match event? {
                LinkEvent::Connected { .. } => SensorsInput::Connected,
                LinkEvent::Disconnected { .. } => SensorsInput::Disconnected,
                LinkEvent::Message { topic, payload } => SensorsInput::Message { topic, payload },
            }),
            Some(answer) = self.answers.recv() => Some(answer),
            _ = self.ticks.tick(), if !self.air.is_empty() => {
                self.turn = Some(1).filter(|next| *next < self.air.len());
                Some(SensorsInput::Sampled { sensor: 0, pm10_ugm3: self.sample(0) })
            }
        }
    }

    fn observe(&mut self, sensors: &mut Sensors) {
        let now = Instant::now();
        if self.next_view <= now {
            self.next_view = now + VIEW_EVERY;
            self.view.send_replace(sensors.snapshot());
        }
    }
}

impl SensorsShell {
    fn ask<F: Future<Output = Option<SensorsInput>> + Send + 'static>(&self, ask: impl FnOnce(Api) -> F) {
        let (answer, turns, asking) = (self.answer.clone(), Arc::clone(&self.asking), ask(self.api.clone()));
        tokio::spawn(async move {
            let _turn = turns.acquire_owned().await;
            if let Some(input) = asking.await {
                answer.send(input).await.ok();
            }
        });
    }

    /// The air moves a little.
    fn sample(&mut self, sensor: usize) -> f64 {
        let step = self.rng.between(-AIR.1, AIR.1);
        let Some(air) = self.air.get_mut(sensor) else { return 0.0 };
        *air = (*air + step).clamp(1.0, 150.0);
        (*air * 10.0).round() / 10.0
    }
}

/// What a node is, in a word.
pub(super) const fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Joining => "joining",
        NodeState::Active => "active",
        NodeState::Coordinator => "coordinator",
        NodeState::Leaving => "leaving",
    }
}
