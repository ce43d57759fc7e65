//! The way to an agent's disk: commands one after the other, each taking its time, failing when the disk does.

use super::agenda::{Agenda, Event};
use super::checks::{Check, Violation};
use super::disk::{DiskCopy, SimDisk};
use super::ledger::Ledger;
use fogline_protocol::ids::Seq;
use fogline_protocol::queue::{Appended, QueueAnswer, QueueCommand, QueueFault, QueueLimits, QueueState, Run};
use fogline_protocol::rng::Rng;
use fogline_protocol::time::Wall;
use std::collections::VecDeque;

/// How long a free may wait for a write to join.
const FREE_WITHIN_US: u64 = 1_000_000;

/// A disk and the commands on their way to it.
#[derive(Debug)]
pub struct Port {
    disk: SimDisk,
    copy: Option<DiskCopy>,
    exchanged: bool,
    delay_us: u64,
    rng: Rng,
    trouble: Option<QueueFault>,
    commands: VecDeque<QueueCommand>,
    /// What the disk is busy with, and what it will answer once that is durable.
    doing: Option<(QueueCommand, QueueAnswer)>,
    /// Frees that wait for the next write, to share its commit.
    put_off: Vec<QueueAnswer>,
}

/// What an opened queue holds: its state, its rows one by one, and whether it is another disk than before.
pub type Opened = (QueueState, Vec<Run>, bool);

impl Port {
    /// A new disk.
    #[must_use]
    pub fn new(limits: QueueLimits, delay_us: u64, rng: Rng) -> Self {
        Self {
            disk: SimDisk::new(limits),
            copy: None,
            exchanged: false,
            delay_us,
            rng,
            trouble: None,
            commands: VecDeque::new(),
            doing: None,
            put_off: Vec::new(),
        }
    }

    /// Opens the queue.
    pub fn open(&mut self) -> Opened {
        let state = self.disk.open();
        (state, self.disk.runs(), std::mem::take(&mut self.exchanged))
    }

    /// Takes a command. The answers come in the order of the commands, but for those of frees, which may come later.
    pub fn ask(&mut self, command: QueueCommand, desk: &mut Desk<'_>) {
        self.commands.push_back(command);
        if self.doing.is_none() {
            self.start(desk);
        }
    }

    /// The oldest command is done and durable, and so is what was put off until then.
    ///
    /// # Errors
    /// A command breaks a promise.
    pub fn finish(&mut self, desk: &mut Desk<'_>) -> Result<Vec<QueueAnswer>, Violation> {
        // Reading makes nothing durable.
        let mut answers = match &self.doing {
            Some((QueueCommand::Load(_), _)) => Vec::new(),
            Some(_) | None => self.settle(desk.agent, desk.ledger)?,
        };
        answers.extend(self.doing.take().map(|(_, answer)| answer));
        self.start(desk);
        Ok(answers)
    }

    /// Frees have waited long enough for a write to join.
    ///
    /// # Errors
    /// A free breaks a promise.
    pub fn flush(&mut self, desk: &mut Desk<'_>) -> Result<Vec<QueueAnswer>, Violation> {
        match &self.doing {
            None | Some((QueueCommand::Load(_), _)) => self.settle(desk.agent, desk.ledger),
            // The write that the disk is busy with takes them along.
            Some(_) => Ok(Vec::new()),
        }
    }

    /// The power fails: what was asked for and is not durable is gone. Sometimes it is durable, and only the answer is lost.
    ///
    /// # Errors
    /// What became durable breaks a promise.
    pub fn crash(&mut self, agent: usize, ledger: &mut Ledger) -> Check {
        if self.rng.percent(50) {
            self.settle(agent, ledger)?;
        }
        self.disk.crash();
        self.commands.clear();
        self.put_off.clear();
        self.doing = None;
        Ok(())
    }

    /// Begins with the next command that takes its time, if there is one.
    fn start(&mut self, desk: &mut Desk<'_>) {
        while let Some(command) = self.commands.pop_front() {
            let refusal = self.trouble.as_ref().and_then(|fault| refuse(&command, fault));
            let refused = refusal.is_some();
            if let (QueueCommand::Load(load), false) = (&command, refused) {
                desk.ledger.damaged(desk.agent, &self.disk.find_damage(load, desk.wall));
            }
            let answer = refusal.unwrap_or_else(|| self.disk.execute(command.clone(), desk.wall));
            if matches!(command, QueueCommand::Free(_)) && !refused {
                self.put_off.push(answer);
                desk.agenda.at(desk.now_us + FREE_WITHIN_US, Event::Flush(desk.agent, desk.life));
                continue;
            }
            self.doing = Some((command, answer));
            let delay_us = 20 + self.rng.below(self.delay_us);
            desk.agenda.at(desk.now_us + delay_us, Event::Disk(desk.agent, desk.life));
            return;
        }
    }

    /// What was executed becomes durable, and is entered into the books. Gives the answers that were put off.
    fn settle(&mut self, agent: usize, ledger: &mut Ledger) -> Result<Vec<QueueAnswer>, Violation> {
        self.disk.sync();
        for answer in &self.put_off {
            if let QueueAnswer::Freed(Ok((free, _))) = answer {
                ledger.freed(agent, free)?;
            }
        }
        if let Some((QueueCommand::Append(append), QueueAnswer::Appended(Ok(appended)))) = &self.doing {
            ledger.appended(agent, append, appended)?;
        }
        Ok(std::mem::take(&mut self.put_off))
    }

    /// The disk answers with `trouble` from now on, or works again.
    pub fn set_trouble(&mut self, trouble: Option<QueueFault>) {
        self.trouble = trouble;
    }

    /// Some of the readings on the disk, one in `part`, become unreadable: their numbers.
    pub fn damage(&mut self, part: u64) -> Vec<Seq> {
        let numbers: Vec<Seq> = self.disk.numbers().filter(|_| self.rng.below(part) == 0).collect();
        self.disk.damage(numbers.iter().copied());
        numbers
    }

    /// The disk does not look for damage.
    pub const fn set_careless(&mut self, careless: bool) {
        self.disk.set_careless(careless);
    }

    /// Somebody copies the disk.
    pub fn copy(&mut self) {
        self.copy = Some(self.disk.copy());
    }

    /// The disk is replaced by the copy, if there is one: true when it was.
    pub fn restore(&mut self) -> bool {
        let Some(copy) = &self.copy else { return false };
        self.disk.restore(copy);
        self.exchanged = true;
        true
    }

    /// The disk is replaced by an empty one.
    pub fn lose(&mut self) {
        self.disk.lose();
        self.exchanged = true;
    }
}

/// What a command comes with: whose it is, when, and where its traces go.
pub struct Desk<'a> {
    /// The number of the agent.
    pub agent: usize,
    /// The agent's life.
    pub life: u64,
    /// The true time.
    pub now_us: u64,
    /// What the agent's clock shows.
    pub wall: Wall,
    /// Where the answer goes.
    pub agenda: &'a mut Agenda,
    /// Where rows are entered.
    pub ledger: &'a mut Ledger,
}

/// The answer of a failing disk; a full one still reads.
fn refuse(command: &QueueCommand, fault: &QueueFault) -> Option<QueueAnswer> {
    let fault = fault.clone();
    let full = matches!(fault, QueueFault::DiskFull(_));
    match command {
        QueueCommand::Append(_) => Some(QueueAnswer::Appended(Err(fault))),
        QueueCommand::Load(_) => (!full).then_some(QueueAnswer::Loaded(Err(fault))),
        QueueCommand::Free(_) => Some(QueueAnswer::Freed(Err(fault))),
        QueueCommand::Settle(_) => Some(QueueAnswer::Settled(Err(fault))),
        QueueCommand::Drop { .. } => Some(QueueAnswer::Dropped(Err(fault))),
        QueueCommand::SaveDecision(_) => Some(QueueAnswer::DecisionSaved(Err(fault))),
    }
}

/// What a disk did, in few words.
#[must_use]
pub fn describe(answer: &QueueAnswer) -> String {
    match answer {
        QueueAnswer::Appended(Ok(Appended { range, dropped, .. })) => {
            format!("appended {range:?}, dropped {dropped:?}")
        }
        QueueAnswer::Loaded(Ok(run)) => format!("loaded {:?}", run.as_ref().map(Run::range)),
        QueueAnswer::Freed(Ok((free, _))) => format!("freed {free:?}"),
        QueueAnswer::DecisionSaved(Ok(key)) => format!("saved {key}"),
        QueueAnswer::Settled(Ok(settled)) => format!("settled {settled:?}"),
        QueueAnswer::Dropped(Ok(Appended { dropped, .. })) => format!("dropped {dropped:?} by hand"),
        QueueAnswer::Appended(Err(fault))
        | QueueAnswer::Loaded(Err(fault))
        | QueueAnswer::Freed(Err(fault))
        | QueueAnswer::Settled(Err(fault))
        | QueueAnswer::Dropped(Err(fault))
        | QueueAnswer::DecisionSaved(Err(fault)) => fault.to_string(),
    }
}

/// True for an answer that says that the disk did not do it.
#[must_use]
pub const fn is_fault(answer: &QueueAnswer) -> bool {
    matches!(
        answer,
        QueueAnswer::Appended(Err(_))
            | QueueAnswer::Loaded(Err(_))
            | QueueAnswer::Freed(Err(_))
            | QueueAnswer::Settled(Err(_))
            | QueueAnswer::Dropped(Err(_))
            | QueueAnswer::DecisionSaved(Err(_))
    )
}
