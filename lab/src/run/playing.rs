//! The faults of a run, in their time.

use super::{ASK_EVERY, ENDS_MAX, LOOK_EVERY, Played, REVIVED_AFTER, Run, TELL_EVERY};
use crate::LabError;
use crate::schedule::Round;
use crate::site::Role;
use crate::story::Tone;
use std::time::Duration;
use tokio::time::Instant;

/// How long queues must stay empty: what a sensor has said last may still be in a pipe, or between two commits.
const EMPTY_FOR: Duration = Duration::from_millis(1500);
/// The drain is awaited for so long, at least: resends back off to 5 seconds, keep-alives take a minute.
const DRAIN_DEADLINE: Duration = Duration::from_secs(120);

impl Run<'_> {
    /// Plays all rounds, and lets the run last as long as it is to.
    pub(super) async fn play(&mut self) -> Result<(), LabError> {
        for round in &self.plan.rounds {
            self.wait_until(self.begun + Duration::from_millis(round.at_ms)).await?;
            self.round(round).await?;
        }
        self.wait_until(self.begun + self.options.length).await
    }

    async fn round(&mut self, round: &Round) -> Result<(), LabError> {
        let begun = Instant::now();
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (index, strike) in round.strikes.iter().enumerate() {
            moments.push((strike.after_ms, false, index));
            moments.push((strike.after_ms + strike.hold_ms, true, index));
        }
        moments.sort_unstable();
        let first = self.played.len();
        for (at_ms, heals, index) in moments {
            self.wait_until(begun + Duration::from_millis(at_ms)).await?;
            let Some(strike) = round.strikes.get(index) else { continue };
            if heals {
                self.heal(first + index)?;
            } else if let Some(fault) = self.plan.selection.faults.get(strike.fault) {
                self.strike(*fault, strike.which)?;
            }
        }
        Ok(())
    }

    /// Strikes, and remembers it under the next index.
    pub(super) fn strike(&mut self, fault: &'static dyn crate::fault::Fault, which: u64) -> Result<(), LabError> {
        let from = Instant::now();
        let what = fault.strike(&mut self.site, which)?;
        self.story.say(Tone::Strike, &format!("{}: {what}", fault.name()));
        if self.plan.lesson {
            self.story.explain("look at", fault.lesson().look);
        }
        self.played.push(Played { fault, which, what, from, to: None });
        Ok(())
    }

    /// Undoes a fault that was played.
    pub(super) fn heal(&mut self, index: usize) -> Result<(), LabError> {
        let Some(played) = self.played.get_mut(index) else { return Ok(()) };
        played.fault.heal(&mut self.site, played.which)?;
        played.to = Some(Instant::now());
        self.story.say(Tone::Heal, &format!("{}: healed", played.fault.name()));
        if self.plan.lesson {
            self.story.explain("why", played.fault.lesson().why);
        }
        Ok(())
    }

    /// Looks after everything until then.
    pub(super) async fn wait_until(&mut self, until: Instant) -> Result<(), LabError> {
        loop {
            self.look().await?;
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            tokio::time::sleep_until(until.min(now + LOOK_EVERY)).await;
        }
    }

    /// Starts again what has ended by itself, and asks agents what is in force.
    pub(super) async fn look(&mut self) -> Result<(), LabError> {
        for ended in self.site.ended()? {
            self.note_end(ended);
        }
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.revive).into_iter().partition(|(at, _)| *at <= now);
        self.revive = later;
        let due: Vec<(Instant, crate::site::Part)> = due;
        for (_, part) in due {
            self.site.restart(part)?;
        }
        for name in std::mem::take(&mut self.site.forgetful) {
            self.watch.forget(&name);
        }
        if now >= self.asked + ASK_EVERY {
            self.asked = now;
            self.ask().await?;
        }
        Ok(())
    }

    fn note_end(&mut self, ended: crate::site::Ended) {
        let excuse = self.played.iter().find(|played| played.to.is_none() && played.fault.may_end(ended.part.role));
        let text = format!("{} ended with {}", ended.name, ended.how);
        self.story.say(if excuse.is_some() { Tone::Plain } else { Tone::Bad }, &text);
        match excuse {
            Some(played) if self.ended.len() < ENDS_MAX => {
                self.ended.push(format!("{text} during {}", played.fault.name()))
            }
            None if self.findings.len() < ENDS_MAX => self.findings.push(text),
            Some(_) | None => {}
        }
        self.revive.push((Instant::now() + REVIVED_AFTER, ended.part));
    }

    /// The answers of those agents that answer at once; a held one must not hold the run up.
    async fn ask(&mut self) -> Result<(), LabError> {
        let mut queued = Vec::new();
        for agent in &mut self.site.agents {
            let asked = tokio::time::timeout(LOOK_EVERY, crate::ask::agent(&agent.folder)).await;
            let Ok(Some(status)) = asked else {
                queued.push(format!("{} -", agent.name));
                continue;
            };
            if agent.is_mending() {
                agent.mended()?;
            }
            queued.push(format!("{} {}", agent.name, status.queue.readings));
            let (acknowledged, gaps) = &mut agent.served;
            // An older copy of a queue knows of fewer.
            if std::mem::replace(acknowledged, status.acknowledged) != status.acknowledged {
                gaps.note(Instant::now());
            }
            for decision in &status.in_force {
                self.watch.in_force(&agent.name, &decision.key, &decision.term, decision.seq);
            }
        }
        self.tell(&queued.join(", "));
        Ok(())
    }

    /// Says what there is to see: in the bar, and in a lesson in words.
    fn tell(&mut self, queued: &str) {
        let seen = format!("queues: {queued}; stored {}", self.service.stored());
        let now = Instant::now();
        if self.plan.lesson && now >= self.told + TELL_EVERY {
            self.told = now;
            self.story.say(Tone::Plain, &seen);
        }
        self.story.progress(seen);
    }

    /// The sensors fall silent, and the queues are to become empty. Gives how long that took.
    pub(super) async fn drain(&mut self) -> Result<Duration, LabError> {
        self.story.say(Tone::Plain, "the sensors fall silent; waiting for empty queues");
        let begun = Instant::now();
        for part in self.site.all() {
            self.site.restart(part)?;
        }
        for agent in &self.site.agents {
            agent.silence();
        }
        let mut empty_since = None;
        while begun.elapsed() < DRAIN_DEADLINE {
            self.look().await?;
            if self.is_drained().await {
                let since = *empty_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= EMPTY_FOR {
                    return Ok(since - begun);
                }
            } else {
                empty_since = None;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.findings.push(format!("the queues were not empty {DRAIN_DEADLINE:?} after the last fault was healed"));
        Ok(begun.elapsed())
    }

    async fn is_drained(&self) -> bool {
        for agent in &self.site.agents {
            match crate::ask::agent(&agent.folder).await {
                Some(status) if status.queue.readings == 0 => {}
                Some(_) | None => return false,
            }
        }
        true
    }

    /// Ends the processes of a kind in order.
    pub(super) async fn end(&mut self, role: Role, deadline: Duration) -> Result<(), LabError> {
        let until = Instant::now() + deadline;
        for part in self.site.parts(role) {
            if let Some(program) = self.site.program(part) {
                program.terminate();
            }
        }
        for part in self.site.parts(role) {
            while self.site.program(part).is_some_and(|program| program.is_up()) {
                for ended in self.site.ended()? {
                    if ended.how != "exit status 0" {
                        self.findings.push(format!("{} was asked to end, and ended with {}", ended.name, ended.how));
                    }
                }
                if Instant::now() >= until {
                    self.findings.push(format!("{} did not end within {deadline:?} of SIGTERM", self.site.name(part)));
                    self.site.kill(part)?;
                }
                tokio::time::sleep(LOOK_EVERY / 4).await;
            }
        }
        Ok(())
    }
}
