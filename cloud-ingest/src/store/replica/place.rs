//! Where a page ends and the next one begins.

use std::fmt;

/// After these row ids of the file that is walked through. What a successor needs most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// After the gaps of this stream that begin up to `gap`; [`Place::WHOLE`]: after the stream.
    Progress { stream: i64, gap: i64 },
    /// After the decisions for this agent.
    Decisions { agent: i64 },
    /// After the status of this agent.
    Statuses { agent: i64 },
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
            Self::Decisions { .. } => Some(Self::Statuses { agent: 0 }),
            Self::Statuses { .. } => Some(Self::Averages { average: 0, width_s: 0, start_us: 0 }),
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
            ("statuses", &[agent]) => Some(Self::Statuses { agent }),
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
            Self::Statuses { agent } => write!(f, "statuses:{agent}"),
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
            Place::Statuses { agent: 4 },
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
