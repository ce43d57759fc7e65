//! Where a page ends and the next one begins.

use std::fmt;

/// After these row ids of the file that is walked through. What a successor needs most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// After the gaps of this stream that begin up to `gap`; [`Place::WHOLE`]: after the stream.
    Progress { stream: i64, gap: i64 },
    /// After the decisions for this agent.
    Decisions { agent: i64 },
    /// After this directive.
    Directives { directive: i64 },
    /// After the status of this agent.
    Statuses { agent: i64 },
    /// After this sensor's newest reading.
    Latest { series: i64 },
    /// After this stay.
    Stays { stay: i64 },
    /// After this one.
    Clarifications { clarification: i64 },
    /// After this aggregate.
    Averages { average: i64, width_s: i64, start_us: i64 },
}

impl Place {
    /// Before everything: row ids begin at 1.
    pub(super) const START: Self = Self::Progress { stream: 0, gap: Self::WHOLE };
    /// Above the first number of any gap.
    pub(super) const WHOLE: i64 = i64::MAX;

    /// Before the rows of the next kind.
    pub(super) const fn next_section(self) -> Option<Self> {
        match self {
            Self::Progress { .. } => Some(Self::Decisions { agent: 0 }),
            Self::Decisions { .. } => Some(Self::Directives { directive: 0 }),
            Self::Directives { .. } => Some(Self::Statuses { agent: 0 }),
            Self::Statuses { .. } => Some(Self::Latest { series: 0 }),
            Self::Latest { .. } => Some(Self::Stays { stay: 0 }),
            Self::Stays { .. } => Some(Self::Clarifications { clarification: 0 }),
            Self::Clarifications { .. } => Some(Self::Averages { average: 0, width_s: 0, start_us: 0 }),
            Self::Averages { .. } => None,
        }
    }

    /// The place that was written as this text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (section, numbers) = text.split_once(':')?;
        let numbers: Vec<i64> = numbers.split('/').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        match (section, numbers.as_slice()) {
            ("progress", &[stream, gap]) => Some(Self::Progress { stream, gap }),
            ("decisions", &[agent]) => Some(Self::Decisions { agent }),
            ("directives", &[directive]) => Some(Self::Directives { directive }),
            ("statuses", &[agent]) => Some(Self::Statuses { agent }),
            ("latest", &[series]) => Some(Self::Latest { series }),
            ("stays", &[stay]) => Some(Self::Stays { stay }),
            ("clarifications", &[clarification]) => Some(Self::Clarifications { clarification }),
            ("averages", &[average, width_s, start_us]) => Some(Self::Averages { average, width_s, start_us }),
            _ => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Progress { stream, gap } => write!(f, "progress:{stream}/{gap}"),
            Self::Decisions { agent } => write!(f, "decisions:{agent}"),
            Self::Directives { directive } => write!(f, "directives:{directive}"),
            Self::Statuses { agent } => write!(f, "statuses:{agent}"),
            Self::Latest { series } => write!(f, "latest:{series}"),
            Self::Stays { stay } => write!(f, "stays:{stay}"),
            Self::Clarifications { clarification } => write!(f, "clarifications:{clarification}"),
            Self::Averages { average, width_s, start_us } => write!(f, "averages:{average}/{width_s}/{start_us}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_short_text() {
        let (average, width_s, start_us) = (i64::MAX, i64::MIN, i64::MIN);
        let places = [
            Place::START,
            Place::Progress { stream: 7, gap: 9 },
            Place::Decisions { agent: 3 },
            Place::Directives { directive: 8 },
            Place::Statuses { agent: 4 },
            Place::Latest { series: 5 },
            Place::Stays { stay: 6 },
            Place::Clarifications { clarification: 7 },
            Place::Averages { average, width_s, start_us },
        ];
        for place in places {
            let text = place.to_string();
            assert!(text.len() < 256, "{text}");
            assert_eq!(Place::parse(&text), Some(place));
        }
        for bad in
            ["", "progress", "progress:", "progress:1", "averages:1/2", "averages:1/2/x", "gaps:1", "statuses:1/2"]
        {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
