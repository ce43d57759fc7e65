//! Two sites whose parts are killed and stopped, and how long it takes until the others have taken over.

mod figures;
mod limits;
mod server;
mod sites;
mod stage;
mod strike;

pub(crate) use figures::Failover;

use super::plan::Plan;
use super::progress;
use super::report::Report;
use figures::Times;
use stage::Stage;
use std::path::Path;
use strike::Strike;

/// Strikes each part so many times, times the takeovers, and audits at the end.
///
/// # Errors
/// When a process fails that was not struck, when nobody takes over, or when the audit cannot be made.
pub(crate) async fn measure(plan: &Plan, rounds: u32, folder: &Path) -> anyhow::Result<Report> {
    let mut stage = Stage::start(plan, folder).await?;
    let mut times = Vec::new();
    for strike in Strike::ALL {
        let bar = progress::bar(strike.name(), rounds.into());
        let mut took = Vec::new();
        for _ in 0..rounds {
            took.push(stage.strike(strike).await?);
            stage.heal().await?;
            bar.inc(1);
        }
        times.push(Times::new(strike, &took));
    }
    let _shown = progress::spinner("stopping, and accounting for everything");
    let (limits, account) = stage.end(plan).await?;
    let failover = Failover { times, limits, total: account.total, missing: account.missing, passed: account.passed };
    Ok(Report { failover: Some(failover), ..Report::new(plan) })
}
