//! Whose agents an ingester takes.

use fogline_protocol::ids::Name;
use fogline_protocol::realm::{Realm, Regions, Share};

/// The realm of these settings. What is wrong with them is added to `problems`.
pub(super) fn realm(regions: &[String], share: Option<&str>, problems: &mut Vec<String>) -> Realm {
    let mut problem = |what: &str, error: &dyn std::fmt::Display| problems.push(format!("{what}: {error}"));
    match (regions, share) {
        ([], None) => Realm::Everywhere,
        ([], Some(share)) => match share.parse::<Share>() {
            Ok(share) => share.into(),
            Err(error) => {
                problem("share", &error);
                Realm::Everywhere
            }
        },
        (_, Some(_)) => {
            problem("share", &"an ingester takes regions by name or a share of all: give one of region and share");
            Realm::Everywhere
        }
        (regions, None) => named(regions, &mut problem),
    }
}

fn named(regions: &[String], problem: &mut impl FnMut(&str, &dyn std::fmt::Display)) -> Realm {
    let mut names = Vec::new();
    for text in regions {
        match Name::new(text) {
            Ok(name) => names.push(name),
            Err(error) => problem("region", &error),
        }
    }
    // Where a name was refused that is said already.
    let wrong = names.len() < regions.len();
    match Regions::new(names) {
        Ok(regions) => Realm::Regions(regions),
        Err(error) => {
            if !wrong {
                problem("region", &error);
            }
            Realm::Everywhere
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(regions: &[&str], share: Option<&str>) -> Result<String, Vec<String>> {
        let regions: Vec<String> = regions.iter().map(ToString::to_string).collect();
        let mut problems = Vec::new();
        let realm = realm(&regions, share, &mut problems);
        if problems.is_empty() { Ok(realm.to_string()) } else { Err(problems) }
    }

    #[test]
    fn regions_by_name_or_a_share_or_all() {
        assert_eq!(of(&[], None).unwrap(), "*");
        assert_eq!(of(&["a8", "a7"], None).unwrap(), "a7,a8");
        assert_eq!(of(&[], Some("2/4")).unwrap(), "2/4");
        assert_eq!(of(&[], Some("1/1")).unwrap(), "*");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_remedy() {
        let both = of(&["a7"], Some("1/2")).unwrap_err();
        assert!(both.len() == 1 && both[0].contains("one of region and share"), "{both:?}");
        let share = of(&[], Some("3/2")).unwrap_err();
        assert!(share[0].starts_with("share: ") && share[0].contains("2/4"), "{share:?}");
        let names = of(&["A7", "ingest", "b"], None).unwrap_err();
        assert!(names.len() == 2 && names.iter().all(|problem| problem.starts_with("region: ")), "{names:?}");
        let many: Vec<String> = (0..31).map(|number| format!("r{number}")).collect();
        let many = of(&many.iter().map(String::as_str).collect::<Vec<_>>(), None).unwrap_err();
        assert!(many[0].contains("--share"), "{many:?}");
    }
}
