//! How a rule becomes a test for each broker.

use std::{future::Future, time::Duration};

use crate::target::{Broker, Target};

/// Every wait inside a rule has a shorter deadline, which says what was missing; this one ends a rule that goes on for ever.
const RULE_DEADLINE: Duration = Duration::from_secs(60);

/// Registers rules: `name;` runs on each broker, `name except(Mosquitto, "why");` not on that one, whose test says so.
macro_rules! rules {
    ($($name:ident $(except($target:ident, $why:literal))?;)+) => {
        mod gate {
            $(#[test]
            fn $name() {
                crate::rules::run(crate::target::Target::Gate, &[$((crate::target::Target::$target, $why))?], super::$name);
            })+
        }
        mod mosquitto {
            $(#[test]
            fn $name() {
                crate::rules::run(
                    crate::target::Target::Mosquitto,
                    &[$((crate::target::Target::$target, $why))?],
                    super::$name,
                );
            })+
        }
    };
}

/// Set to 1, it runs the excepted rules too: whether a newer version of that broker keeps them.
const ALL_RULES: &str = "FOGLINE_CONFORMANCE_ALL";

/// One rule of several that mostly wait, so that they wait at the same time: test threads are few. Which of them is
/// broken is told by the line that panics.
macro_rules! together {
    ($(#[$doc:meta])* $name:ident = $($rule:ident),+ $(,)?) => {
        $(#[$doc])*
        async fn $name(broker: crate::target::Broker) {
            tokio::join!($($rule(broker)),+);
        }
    };
}

/// Runs `rule` on the broker that all tests of `target` share, unless it is excepted or not installed.
pub(crate) fn run<F: Future<Output = ()>>(target: Target, except: &[(Target, &str)], rule: impl FnOnce(Broker) -> F) {
    let all = std::env::var(ALL_RULES).is_ok_and(|value| value == "1");
    if let Some((_, why)) = except.iter().find(|(excepted, _)| *excepted == target && !all) {
        eprintln!("skipped on {target:?}: {why}");
        return;
    }
    let Some(broker) = target.shared() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(RULE_DEADLINE, rule(broker)).await.expect("the rule's test did not end");
    });
}
