//! The page says what the code says.

const PAGE: &str = include_str!("../../../docs/adding-a-use-case.md");
const TIDE: &str = include_str!("usecase/tide.rs");
const REGISTRY: &str = include_str!("../../src/usecase.rs");

/// The code blocks of a language, in their order.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = PAGE.split(&fence).skip(1);
    after.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn its_pieces_are_the_file() {
    let pieces = blocks("rust");
    assert!(pieces.len() > 4, "a step at a time");
    // An empty line is between two pieces.
    assert_eq!(pieces.join("\n"), TIDE);
}

/// But for the entries themselves: whoever really adds one need not come here.
fn beginning(line: &str) -> &str {
    line.split("; ").next().unwrap_or_default()
}

#[test]
fn what_it_changes_in_the_registry_is_there() {
    let [diff] = <[String; 1]>::try_from(blocks("diff")).unwrap();
    let there = |line: &str| REGISTRY.lines().any(|found| beginning(found) == beginning(line));
    let (added, rest): (Vec<_>, Vec<_>) = diff.lines().map(|line| line.split_at(1)).partition(|(sign, _)| *sign == "+");
    assert!(rest.iter().all(|(_, line)| there(line)), "{rest:?}");
    assert!(rest.iter().any(|(sign, line)| *sign == "-" && line.contains("REGISTRY")), "{rest:?}");
    assert_eq!(added.len(), 3, "{added:?}");
}
