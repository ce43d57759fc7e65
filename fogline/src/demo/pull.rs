//! What can be stopped, killed and started again, and how that is said.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest demo that anybody plans.
const LATEST: Duration = Duration::from_secs(86_400);

/// What can be stopped and started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plug {
    /// The broker of the site with this index.
    Broker(usize),
    /// Its ingester.
    Ingester(usize),
    /// Both.
    Site(usize),
    /// The agent with this index.
    Agent(usize),
}

/// A plug, and how it is pulled. It is put back in by pulling again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pull {
    /// Which.
    pub(crate) plug: Plug,
    /// Without any time to say goodbye.
    pub(crate) kills: bool,
}

impl FromStr for Pull {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || {
            format!("{text:?} is no plug: give b, i or s and perhaps a site (b1), in capitals to kill, or an agent (3)")
        };
        let index = |number: &str| number.parse::<usize>().ok()?.checked_sub(1);
        let letter = text.chars().next().filter(char::is_ascii_alphabetic);
        let Some(letter) = letter else {
            return Ok(Self { plug: Plug::Agent(index(text).ok_or_else(wrong)?), kills: false });
        };
        let site = match text.get(1..).unwrap_or_default() {
            "" => 0,
            number => index(number).ok_or_else(wrong)?,
        };
        let plug = match letter.to_ascii_lowercase() {
            'b' => Plug::Broker(site),
            'i' => Plug::Ingester(site),
            's' => Plug::Site(site),
            _ => return Err(wrong()),
        };
        Ok(Self { plug, kills: letter.is_ascii_uppercase() })
    }
}

impl fmt::Display for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, index) = match self.plug {
            Plug::Broker(site) => ("b", site),
            Plug::Ingester(site) => ("i", site),
            Plug::Site(site) => ("s", site),
            Plug::Agent(agent) => ("", agent),
        };
        let letter = if self.kills { letter.to_uppercase() } else { letter.to_owned() };
        write!(f, "{letter}{}", index + 1)
    }
}

/// A pull so long after the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// What.
    pub(crate) pull: Pull,
    /// When.
    pub(crate) at: Duration,
}

impl FromStr for Planned {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (pull, seconds) = text.split_once('@').ok_or("give PLUG@SECONDS, for example S1@10")?;
        let seconds: u64 = seconds.parse().map_err(|error| format!("{seconds:?} are no seconds: {error}"))?;
        let at = Duration::from_secs(seconds);
        if at > LATEST {
            return Err(format!("give at most {} seconds", LATEST.as_secs()));
        }
        Ok(Self { pull: pull.parse()?, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_numbers_are_plugs_and_capitals_kill() {
        for (text, plug, kills, shown) in [
            ("b\n", Plug::Broker(0), false, "b1"),
            (" i ", Plug::Ingester(0), false, "i1"),
            ("b2", Plug::Broker(1), false, "b2"),
            ("S2", Plug::Site(1), true, "S2"),
            ("I1", Plug::Ingester(0), true, "I1"),
            ("1", Plug::Agent(0), false, "1"),
        ] {
            let pull: Pull = text.parse().unwrap();
            assert_eq!((pull.plug, pull.kills, pull.to_string().as_str()), (plug, kills, shown), "{text:?}");
        }
        for other in ["", "0", "x", "-1", "b i", "b0", "bb", "s-1", "ü"] {
            assert!(other.parse::<Pull>().is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_planned_pull_has_its_second() {
        let planned: Planned = "S1@10".parse().unwrap();
        assert_eq!((planned.pull.to_string().as_str(), planned.at), ("S1", Duration::from_secs(10)));
        for wrong in ["S1", "S1@", "S1@-1", "@3", "x@3", "s1@86401"] {
            assert!(wrong.parse::<Planned>().is_err(), "{wrong}");
        }
    }
}
