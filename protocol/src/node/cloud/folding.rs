//! New readings as values of windows.

use crate::clock::TimeFlag;
use crate::ids::{AgentId, Name};
use crate::store::{Fold, Points};
use crate::time::Wall;
use crate::usecase::power::Places;
use crate::usecase::{Field, REGISTRY, UseCase};
use crate::window::{Aggregate, DECISION_WIDTH_S, STORED_WIDTHS_S, Scope, window_start};
use std::collections::BTreeMap;

/// Of whom values are: an agent, or a group of sensors.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Of<'a> {
    Agent(&'a AgentId),
    Group(Name),
}

/// Values of a field in the shortest window.
type Shortest<'a> = BTreeMap<(Of<'a>, &'static str, &'static str, Wall), Aggregate>;
/// Values of a scope, kind and field in a window of some length.
type Folds = BTreeMap<(Scope, &'static str, &'static str, u32, Wall), Aggregate>;

/// Folds the averaged fields of new readings, and counts the values that cannot be true: they are left out.
pub(super) fn fold(points: &[Points], places: &Places) -> (Vec<Fold>, u64) {
    let mut shortest = Shortest::new();
    let mut out_of_range = 0;
    for usecase in REGISTRY {
        for field in usecase.fields().iter().filter(|field| field.averaged) {
            // Nobody knows when these were taken.
            for batch in points.iter().filter(|batch| batch.time != Some(TimeFlag::Unset)) {
                out_of_range += fold_batch(batch, usecase, field, places, &mut shortest);
            }
        }
    }
    (widen(shortest), out_of_range)
}

/// What neighbours mostly share: the sensor, and the window.
struct Run<'a> {
    sensor: &'a str,
    start: Wall,
    values: Aggregate,
}

/// Neighbours mostly fall into the same window: it is looked up once for all of them.
fn fold_batch<'a>(
    batch: &'a Points,
    usecase: &'static dyn UseCase,
    field: &Field,
    places: &Places,
    into: &mut Shortest<'a>,
) -> u64 {
    let mut out_of_range = 0;
    let groups = usecase.has_groups();
    let mut current: Option<Run<'_>> = None;
    let mut put = |run: Option<Run<'_>>| {
        let Some(run) = run else { return };
        let group = || usecase.group(places, &batch.agent, run.sensor).map(Of::Group);
        let group = groups.then(group).flatten();
        for of in [Some(Of::Agent(&batch.agent)), group].into_iter().flatten() {
            into.entry((of, usecase.kind(), field.name, run.start)).or_default().merge(&run.values);
        }
    };
    for point in batch.iter().filter(|point| point.reading.kind() == usecase.kind()) {
        let Some(value) = point.reading.number(field.name) else { continue };
        if !field.admits(value) {
            out_of_range += 1;
            continue;
        }
        let (sensor, start) = (point.reading.sensor(), window_start(point.reading.ts(), DECISION_WIDTH_S));
        if current.as_ref().is_none_or(|run| run.start != start || (groups && run.sensor != sensor)) {
            put(current.replace(Run { sensor, start, values: Aggregate::default() }));
        }
        if let Some(run) = &mut current {
            run.values.add(value);
        }
    }
    put(current);
    out_of_range
}

/// Every stored window is a multiple of the shortest one.
fn widen(shortest: Shortest<'_>) -> Vec<Fold> {
    let mut folds = Folds::new();
    for ((of, kind, field, start), values) in shortest {
        let scopes = match of {
            Of::Agent(agent) => vec![Scope::Agent(agent.clone()), Scope::Region(agent.region.clone())],
            Of::Group(group) => vec![Scope::Group(group)],
        };
        for scope in scopes {
            for width_s in STORED_WIDTHS_S {
                let key = (scope.clone(), kind, field, width_s, window_start(start, width_s));
                folds.entry(key).or_default().merge(&values);
            }
        }
    }
    let fold =
        |((scope, kind, field, width_s, start), aggregate)| Fold { scope, kind, field, width_s, start, aggregate };
    folds.into_iter().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ranges::Range;
    use crate::ids::{Name, StreamId};
    use crate::reading::{Readings, Value};
    use std::sync::Arc;

    #[test]
    fn fresh_readings_fold_into_every_width_for_agent_and_region() {
        let mut readings = Readings::new();
        for (s, speed) in [(1, 80.0), (2, 100.0), (6, 90.0), (7, 900.0)] {
            let fields = [("speed_kmh", Value::Number(speed))];
            readings.push(Wall::from_us(s * 1_000_000), "lane-1", "road", &fields).unwrap();
        }
        let agent = AgentId { region: Name::new("a7").unwrap(), agent: Name::new("s1").unwrap() };
        let fresh = vec![Range::new(2, 4)];
        let stream = StreamId::from_bits(1);
        let points = Points { agent, stream, clock: 0, time: None, first: 1, readings: Arc::new(readings), fresh };
        let unset = Points { time: Some(TimeFlag::Unset), ..points.clone() };
        assert!(fold(&[unset], &Places::default()).0.is_empty(), "nobody knows when they were taken");
        let (folds, out_of_range) = fold(&[points], &Places::default());
        assert_eq!(out_of_range, 1);
        let of = |width_s: u32, start: i64| {
            let found = folds.iter().filter(move |f| f.width_s == width_s && f.start.us() == start * 1_000_000);
            found.map(|f| (f.aggregate.n, f.aggregate.sum)).collect::<Vec<_>>()
        };
        assert_eq!(of(5, 0), [(1, 100.0), (1, 100.0)], "the duplicate does not count");
        assert_eq!(of(5, 5), [(1, 90.0), (1, 90.0)]);
        assert_eq!(of(60, 0), [(2, 190.0), (2, 190.0)]);
        assert_eq!(of(3600, 0), [(2, 190.0), (2, 190.0)]);
        assert_eq!(folds.len(), 8);
    }
}
