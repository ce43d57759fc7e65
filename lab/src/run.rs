//! A run: the site is started, struck by the schedule, healed, drained and counted.

mod closing;
mod playing;

use crate::account::Account;
use crate::fault::Fault;
use crate::machine::Machine;
use crate::options::{Options, Selection};
use crate::schedule::{Round, Strike, schedule};
use crate::service::Service;
use crate::site::{Fittings, Part, Site};
use crate::story::{Story, Tone};
use crate::watch::Watch;
use crate::{LabError, Need};
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at the processes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two questions to the agents for what is in force on them.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How long a process that has ended by itself stays down: as whoever looks after it would wait.
const REVIVED_AFTER: Duration = Duration::from_secs(1);
/// Between two lines of what there is to see in a lesson.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// How long a lesson lets everything go well first, and how long its fault lasts.
const LESSON_CALM_MS: u64 = 6_000;
const LESSON_HOLD_MS: u64 = 10_000;
/// How long a lesson is: until some seconds after its fault.
pub(crate) const LESSON_LENGTH: Duration = Duration::from_millis(LESSON_CALM_MS + LESSON_HOLD_MS + 4_000);
/// The most ends that are told one by one.
const ENDS_MAX: usize = 50;

/// A fault while it lasts and after it.
struct Played {
    fault: &'static dyn Fault,
    which: u64,
    what: String,
    from: Instant,
    to: Option<Instant>,
}

/// A run on its way.
struct Run<'a> {
    options: &'a Options,
    plan: &'a Plan,
    site: Site,
    watch: Watch,
    service: Service,
    story: &'a Story,
    begun: Instant,
    asked: Instant,
    told: Instant,
    played: Vec<Played>,
    ended: Vec<String>,
    findings: Vec<String>,
    revive: Vec<(Instant, Part)>,
}

/// What is to be played.
pub(crate) struct Plan {
    /// The faults, as the rounds mean them.
    pub(crate) selection: Selection,
    /// When.
    pub(crate) rounds: Vec<Round>,
    /// With a commentary.
    pub(crate) lesson: bool,
}

impl Plan {
    /// The plan that follows from the seed.
    ///
    /// # Errors
    /// [`LabError::Options`] when no fault is left to play.
    pub(crate) fn of(options: &Options, machine: &Machine) -> Result<Self, LabError> {
        let selection = options.select(machine)?;
        let length_ms = u64::try_from(options.length.as_millis()).unwrap_or(u64::MAX);
        let rounds = schedule(options.seed, length_ms, selection.faults.len());
        check(&selection)?;
        Ok(Self { selection, rounds, lesson: false })
    }

    /// One fault, with a commentary. Its length follows from it.
    ///
    /// # Errors
    /// [`LabError::Options`] when it cannot be played here.
    pub(crate) fn lesson(options: &Options, machine: &Machine) -> Result<Self, LabError> {
        let selection = options.select(machine)?;
        check(&selection)?;
        let strike = Strike { fault: 0, which: options.seed, after_ms: 0, hold_ms: LESSON_HOLD_MS };
        let rounds = vec![Round { at_ms: LESSON_CALM_MS, strikes: vec![strike] }];
        Ok(Self { selection, rounds, lesson: true })
    }
}

fn check(selection: &Selection) -> Result<(), LabError> {
    if selection.faults.is_empty() {
        let why: Vec<String> = selection.skipped.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        return Err(LabError::Options(format!("no fault can be played: {}", why.join("; "))));
    }
    Ok(())
}

/// Plays a run by a schedule, in silence. Must be called on a Tokio runtime of several threads; when the future is dropped, everything
/// that it has started is ended.
///
/// # Errors
/// What kept it from being played to its end; what it found is in the account.
pub async fn play(options: &Options) -> Result<Account, LabError> {
    let plan = Plan::of(options, &Machine::look())?;
    run(options, plan, &Story::new(options.length, true)).await
}

/// Plays a plan to its end. When it is dropped on the way, everything that it started is ended.
pub(crate) async fn run(options: &Options, plan: Plan, story: &Story) -> Result<Account, LabError> {
    let machine = Machine::look();
    let needs: Vec<Need> = plan.selection.faults.iter().flat_map(|fault| fault.needs()).copied().collect();
    let mut site = Site::build(options, &Fittings::of(options, &needs, &machine))?;
    for (name, why) in &plan.selection.skipped {
        story.say(Tone::Plain, &format!("skipped: {name}: {why}"));
    }
    story.say(Tone::Plain, &format!("starting; logs are in {}", site.folder().join("logs").display()));
    site.start().await?;
    if let Some(fault) = plan.selection.faults.first().filter(|_| plan.lesson) {
        story.say(Tone::Plain, &format!("{} agents read a road, {} times a second each", options.agents, options.rate));
        story.explain("lesson", &format!("{}. {}", fault.name(), fault.lesson().happens));
    }
    let ports: Vec<u16> = site.brokers.iter().map(|broker| broker.port).collect();
    let watch = Watch::start(&ports, options.seed)?;
    let service = Service::watch(site.ingesters.iter().map(|ingester| ingester.http).collect());
    let now = Instant::now();
    let mut run = Run {
        options,
        plan: &plan,
        site,
        watch,
        service,
        story,
        begun: now,
        asked: now,
        told: now,
        played: Vec::new(),
        ended: Vec::new(),
        findings: Vec::new(),
        revive: Vec::new(),
    };
    run.play().await?;
    let gaps = [run.service.gaps(), run.agents_gaps()];
    let drained = run.drain().await?;
    run.account(&gaps, drained).await
}
