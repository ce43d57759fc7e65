//! A filter with `%u`, `%c` and `%r` in it.

use super::filter::Filter;

/// Whose values are put in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) client_id: &'a str,
    pub(crate) regions: &'a [String],
}

/// A filter with `%u`, `%c` and `%r` in it; what is put in never becomes a wildcard or a level of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    User,
    ClientId,
    Region,
}

/// What a value that has `/`, `+` or `#` in it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// For what is allowed: such a value, an empty one, or one with `$` in front would allow more than meant, so then there
    /// is no filter.
    OneLevel,
    /// For what is denied: a value is taken as it is, since leaving it out would allow more. No topic has `+` or `#` in it, so
    /// with these there is nothing to deny.
    Literal,
}

impl Values {
    fn accept(self, value: &str) -> bool {
        !value.contains(['+', '#', '\0'])
            && (self == Self::Literal || !(value.is_empty() || value.contains('/') || value.starts_with('$')))
    }
}

impl Template {
    /// # Errors
    /// What is wrong with `text`, as the end of a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            let part = match char {
                '%' => match rest.next() {
                    Some('u') => Part::User,
                    Some('c') => Part::ClientId,
                    Some('r') => Part::Region,
                    Some('%') => {
                        literal.push('%');
                        continue;
                    }
                    _ => {
                        return Err(
                            "after % comes u (user), c (client id), r (region), or % for a percent sign".to_owned()
                        );
                    }
                },
                char => {
                    literal.push(char);
                    continue;
                }
            };
            parts.extend((!literal.is_empty()).then(|| Part::Text(std::mem::take(&mut literal))));
            parts.push(part);
        }
        parts.extend((!literal.is_empty()).then_some(Part::Text(literal)));
        let template = Self(parts);
        template.check()?;
        Ok(template)
    }

    /// The region `*` becomes `+`, which stands alone; everything else is one name.
    fn check(&self) -> Result<(), String> {
        let text = self.with(|_| Some("x"), "+").unwrap_or_default();
        match Filter::parse(&text) {
            Ok(_) => Ok(()),
            Err(_) if self.with(|_| Some("x"), "x").is_some_and(|text| Filter::parse(&text).is_ok()) => {
                Err("%r stands alone between two /, as it can be every region".to_owned())
            }
            Err(problem) => Err(problem.to_owned()),
        }
    }

    fn with<'a>(&'a self, value: impl Fn(&Part) -> Option<&'a str>, region: &'a str) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Region => Some(region),
                Part::User | Part::ClientId => value(part),
            })
            .collect()
    }

    /// The filters that this is for `subject`: one, or one for each of its regions, or none where a value is missing or not
    /// to be used.
    pub(crate) fn filters<'a>(&'a self, subject: Subject<'a>, values: Values) -> impl Iterator<Item = Filter> + 'a {
        let by_region = self.0.contains(&Part::Region);
        let regions = if by_region { subject.regions } else { &[] };
        let once = (!by_region).then_some("");
        let all =
            once.into_iter().chain(regions.iter().map(|region| if region == "*" { "+" } else { region.as_str() }));
        all.filter_map(move |region| {
            let value = |part: &Part| match part {
                Part::User => subject.user,
                _ => Some(subject.client_id),
            };
            let text = self.with(|part| value(part).filter(|value| values.accept(value)), region)?;
            Filter::parse(&text).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(template: &str, user: Option<&str>, client_id: &str, regions: &[&str], values: Values) -> Vec<Filter> {
        let regions: Vec<_> = regions.iter().map(|&region| region.to_owned()).collect();
        let subject = Subject { user, client_id, regions: &regions };
        Template::parse(template).unwrap().filters(subject, values).collect()
    }

    fn filters(texts: &[&str]) -> Vec<Filter> {
        texts.iter().map(|text| Filter::parse(text).unwrap()).collect()
    }

    #[test]
    fn values_are_put_in_once() {
        let expanded = |template| expanded(template, Some("u%c"), "c%r", &["n", "s"], Values::OneLevel);
        assert_eq!(expanded("a/%u/x-%c-y/#"), filters(&["a/u%c/x-c%r-y/#"]));
        assert_eq!(expanded("%r/%u"), filters(&["n/u%c", "s/u%c"]));
        assert_eq!(expanded("100%%/%%u"), filters(&["100%/%u"]));
    }

    #[test]
    fn the_region_star_is_one_level() {
        assert_eq!(expanded("f/%r/#", None, "c", &["*"], Values::OneLevel), filters(&["f/+/#"]));
        assert_eq!(expanded("f/%r/#", None, "c", &[], Values::OneLevel), []);
    }

    #[test]
    fn a_value_never_widens_what_is_allowed() {
        for value in ["", "+", "#", "a/b", "a/#", "+/x", "a+", "$SYS", "$share", "/", "a\0"] {
            for template in ["%c/#", "x/%c/#", "x/%u", "x%c"] {
                assert_eq!(expanded(template, Some(value), value, &[], Values::OneLevel), [], "{template} {value:?}");
            }
        }
        assert_eq!(expanded("x/%u", None, "c", &[], Values::OneLevel), [], "nobody has no name");
    }

    #[test]
    fn a_value_never_narrows_what_is_denied() {
        let denied = |value| expanded("x/%c/#", None, value, &[], Values::Literal);
        assert_eq!(denied("a/b"), filters(&["x/a/b/#"]));
        assert_eq!(denied(""), filters(&["x//#"]));
        assert_eq!(denied("$a"), filters(&["x/$a/#"]));
        assert_eq!(denied("+"), [], "no topic has a + in it");
    }

    #[test]
    fn what_cannot_be_a_filter_is_refused() {
        for bad in ["%x", "a/%", "a/%r-x", "x%r", "%r%r", "a/#/%u", "%u#", "%c+", ""] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        assert!(Template::parse("a/%r-x").unwrap_err().contains("%r stands alone"));
    }
}
