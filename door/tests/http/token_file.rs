//! Making and removing tokens.

use fogline_door::http::{Role, TokenFileError, add, list, remove};
use std::path::PathBuf;
use tempfile::TempDir;

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    (folder, path)
}

fn names(path: &std::path::Path) -> Vec<String> {
    list(path).unwrap().into_iter().map(|caller| format!("{} {}", caller.name, caller.role)).collect()
}

#[test]
fn tokens_are_added_listed_and_removed() {
    let (_folder, path) = file();
    let token = add(&path, "grafana", Role::Viewer).unwrap();
    add(&path, "anna", Role::Operator).unwrap();
    assert_eq!(names(&path), ["grafana viewer", "anna operator"]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(token.reveal()), "only the digest is kept");
    remove(&path, "grafana").unwrap();
    assert_eq!(names(&path), ["anna operator"]);
}

#[test]
fn remarks_stay() {
    let (_folder, path) = file();
    add(&path, "one", Role::Viewer).unwrap();
    let text = std::fs::read_to_string(&path).unwrap() + "\n# one is for the wall; two follows";
    std::fs::write(&path, &text).unwrap();
    add(&path, "two", Role::Viewer).unwrap();
    remove(&path, "one").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("# one is for the wall") && names(&path) == ["two viewer"], "{text}");
}

#[test]
fn a_name_has_one_token() {
    let (_folder, path) = file();
    add(&path, "anna", Role::Viewer).unwrap();
    assert!(matches!(add(&path, "anna", Role::Operator), Err(TokenFileError::Exists { .. })));
    assert!(matches!(remove(&path, "ann"), Err(TokenFileError::Unknown { .. })));
    assert!(matches!(add(&path, "Anna B", Role::Viewer), Err(TokenFileError::Name(_))));
    let twice = std::fs::read_to_string(&path).unwrap().repeat(2);
    std::fs::write(&path, twice).unwrap();
    assert!(matches!(list(&path), Err(TokenFileError::Twice { .. })));
}

#[test]
fn tokens_are_limited() {
    let (_folder, path) = file();
    let line = |n: u32| format!("t{n} viewer {n:064x}\n");
    std::fs::write(&path, (0..256).map(line).collect::<String>()).unwrap();
    assert_eq!(list(&path).unwrap().len(), 256);
    assert!(matches!(add(&path, "more", Role::Viewer), Err(TokenFileError::TooLarge { .. })));
    std::fs::write(&path, (0..257).map(line).collect::<String>()).unwrap();
    assert!(matches!(list(&path), Err(TokenFileError::TooLarge { .. })));
    std::fs::write(&path, "#".repeat(257 * 1024)).unwrap();
    assert!(matches!(list(&path), Err(TokenFileError::TooLarge { .. })));
}

#[test]
fn one_at_a_time_writes() {
    let (folder, path) = file();
    let other = folder.path().join("tokens.new");
    std::fs::write(&other, "").unwrap();
    assert!(matches!(add(&path, "anna", Role::Viewer), Err(TokenFileError::Busy(_))));
    assert!(other.exists(), "it is another command's");
    std::fs::remove_file(&other).unwrap();
    assert!(remove(&path, "anna").is_err());
    add(&path, "anna", Role::Viewer).expect("a refusal leaves nothing behind");
}

#[cfg(unix)]
#[test]
fn who_could_read_it_still_can() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = file();
    add(&path, "anna", Role::Viewer).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    add(&path, "bert", Role::Viewer).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}
