//! The end of a run: everything is ended in order, and counted.

use super::Run;
use crate::LabError;
use crate::account::{Account, Decisions, Evidence, Readings, Struck, VERSION};
use crate::books::{Books, Held};
use crate::options::StoreKind;
use crate::process;
use crate::service::{Gap, longest};
use crate::site::Role;
use crate::{audit, books, queue};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How long a program may take to end in order.
const END_DEADLINE: Duration = Duration::from_secs(20);
/// The most lost readings that are named, for each agent.
const LOST_SHOWN: usize = 10;
/// What no program should ever say.
const ALARM: &str = "panicked at";

impl Run<'_> {
    /// Ends everything and counts.
    pub(super) async fn account(
        mut self,
        [gaps, agent_gaps]: &[Vec<Gap>; 2],
        drained: Duration,
    ) -> Result<Account, LabError> {
        self.end(Role::Agent, END_DEADLINE).await?;
        self.end(Role::Ingester, END_DEADLINE).await?;
        let folders = self.site.ingesters_folders();
        let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
        let names: Vec<&str> = self.site.agents.iter().map(|agent| agent.name.as_str()).collect();
        let held = self.site.database.readings(&folders, &names).await?;
        let audit = audit::audit(&self.options.program, &self.site).await.unwrap_or_else(|error| {
            self.findings.push(error.to_string());
            None
        });
        self.end(Role::Broker, END_DEADLINE).await?;
        self.end(Role::Database, END_DEADLINE).await?;
        let mut all = std::mem::take(&mut self.site.past);
        for folder in folders {
            all.merge(books::read(&self.site.database.books(folder))?);
        }
        let agents = self.count(&held, &all)?;
        let decisions = self.decisions(&all);
        self.listen_for_alarms();
        let mut readings = Readings::default();
        agents.values().for_each(|found| readings.add(found));
        self.judge(&readings, &decisions);
        if self.trusts_audit(&readings) && audit.as_ref().is_some_and(|account| !audit::passed(account)) {
            self.findings.push("the audit does not pass".to_owned());
        }
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let skipped = self.plan.selection.skipped.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned()));
        let mut account = Account {
            v: VERSION,
            good: self.findings.is_empty(),
            seed: self.options.seed,
            store: format!("{:?}", self.options.store).to_lowercase(),
            seconds: self.begun.elapsed().as_secs_f64(),
            readings,
            agents,
            decisions,
            longest_gap_ms: ms(longest(gaps, self.begun, Instant::now())),
            longest_agent_gap_ms: ms(longest(agent_gaps, self.begun, Instant::now())),
            drained_ms: ms(drained),
            faults: self.struck(gaps, agent_gaps),
            skipped: skipped.collect(),
            ended: std::mem::take(&mut self.ended),
            audit,
            folder: None,
            findings: std::mem::take(&mut self.findings),
        };
        if !account.good || self.options.keep {
            account.folder = Some(self.site.keep()?);
        }
        Ok(account)
    }

    /// The gaps of all agents.
    pub(super) fn agents_gaps(&self) -> Vec<Gap> {
        self.site.agents.iter().flat_map(|agent| agent.served.1.all()).collect()
    }

    fn count(&mut self, held: &BTreeMap<String, Held>, books: &Books) -> Result<BTreeMap<String, Readings>, LabError> {
        let mut agents = BTreeMap::new();
        for agent in &self.site.agents {
            let queue = queue::read(&agent.folder)?;
            let noted = books.gaps.get(&agent.name).map_or(&[][..], Vec::as_slice);
            let gaps: Vec<(u64, u64)> = queue.gaps.iter().chain(noted).copied().collect();
            let (found, lost) = Readings::count(
                &Evidence {
                    ledger: &agent.ledger,
                    held: held.get(&agent.name),
                    queued: &queue.waiting,
                    dead: books.dead.get(&agent.name).map_or(&[][..], Vec::as_slice),
                    gaps: &gaps,
                },
                LOST_SHOWN,
            );
            self.findings.extend(agent.ledger.complaints().iter().map(|text| format!("{}: {text}", agent.name)));
            if !lost.is_empty() {
                self.findings.push(format!("{}: lost, by the lab's numbers: {lost:?} and so on", agent.name));
            }
            agents.insert(agent.name.clone(), found);
        }
        Ok(agents)
    }

    fn decisions(&mut self, books: &Books) -> Decisions {
        let heard = self.watch.heard();
        self.findings.extend(heard.complaints.iter().cloned());
        let count = |fate: &str| {
            let same = books.decisions.values().filter(|found| found.as_str() == fate).count();
            u64::try_from(same).unwrap_or(u64::MAX)
        };
        Decisions {
            made: u64::try_from(books.decisions.len()).unwrap_or(u64::MAX),
            sent: heard.sent,
            answered: heard.answered,
            applied: count("applied"),
            superseded: count("superseded"),
            replaced: count("replaced"),
            expired: count("expired"),
            outstanding: count("outstanding"),
            backwards: heard.backwards,
        }
    }

    /// The audit knows nothing of the lab: for it what the lab destroyed is lost, and where streams are not kept what an older
    /// copy of a queue gave again is there twice.
    fn trusts_audit(&self, readings: &Readings) -> bool {
        let changed = self.played.iter().any(|played| played.fault.changes_disk());
        readings.destroyed == 0 && !(changed && self.options.store == StoreKind::Victoria)
    }

    fn judge(&mut self, readings: &Readings, decisions: &Decisions) {
        let wrongs = [
            (readings.lost, "readings are lost"),
            (readings.duplicates, "readings are stored twice"),
            (readings.strangers, "readings are stored that were not accepted"),
            (readings.queued, "readings are still in queues"),
            (decisions.backwards, "times an older decision was applied over a newer one"),
        ];
        for (count, what) in wrongs {
            if count > 0 {
                self.findings.push(format!("{count} {what}"));
            }
        }
        if readings.accepted == 0 {
            self.findings.push("no reading was accepted: the run shows nothing".to_owned());
        }
    }

    fn listen_for_alarms(&mut self) {
        for part in self.site.all() {
            let Some(log) = self.site.program(part).map(|program| program.log().to_owned()) else { continue };
            let said = process::lines_with(&log, ALARM);
            self.findings.extend(said.into_iter().map(|line| format!("{}: {line}", log.display())));
        }
    }

    fn struck(&self, gaps: &[Gap], agent_gaps: &[Gap]) -> Vec<Struck> {
        let now = Instant::now();
        let struck = self.played.iter().map(|played| {
            let to = played.to.unwrap_or(now);
            let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            Struck {
                fault: played.fault.name().to_owned(),
                what: played.what.clone(),
                at_s: (played.from - self.begun).as_secs_f64(),
                held_ms: ms(to - played.from),
                gap_ms: ms(longest(gaps, played.from, to)),
                agent_gap_ms: ms(longest(agent_gaps, played.from, to)),
            }
        });
        struck.collect()
    }
}
