//! The images: built without `BuildKit`, from named versions, with every crate and file that they need.

use super::{MAIN, read, root};
use std::path::{Path, PathBuf};

#[test]
fn the_images_build_without_buildkit_and_from_named_versions() {
    let text = read("Dockerfile");
    assert!(!text.contains("--mount=") && !text.contains("<<EOF") && !text.contains("# syntax"));
    let mut stages = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        let (image, stage) = line.split_once(" AS ").expect("every stage has a name");
        let pinned = image == "scratch" || image.split_once(':').is_some_and(|(_, tag)| tag != "latest");
        assert!(stages.contains(&image) || pinned, "{image} is not pinned");
        stages.push(stage);
    }
    for program in ["broker", "ingest", "agent", "fogline", "setup", "load"] {
        assert!(stages.contains(&program), "no image for {program}");
    }
    assert_eq!(text.matches("\nUSER 10001:10001\n").count(), 2, "the two bases of the images have a user");
    for line in read(MAIN).lines().filter_map(|line| line.trim().strip_prefix("image: ")) {
        assert!(line.split_once(':').is_some_and(|(_, tag)| tag != "latest"), "{line} is not pinned");
    }
}

/// Whoever adds a crate to the workspace has to tell the image of it.
#[test]
fn the_image_knows_all_manifests() {
    let (workspace, docker, ignore) = (read("Cargo.toml"), read("Dockerfile"), read(".dockerignore"));
    let members = workspace.lines().find(|line| line.starts_with("members = ")).unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(docker.contains(&format!("COPY {member}/Cargo.toml {member}/\n")), "{member} is not in Dockerfile");
        assert!(ignore.lines().any(|line| line.trim_start_matches('!').split('/').next() == Some(member)), "{member}");
    }
}

/// Files that a folder holds, at any depth.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

/// A file of another folder that a program holds is asked for by the image too.
#[test]
fn the_image_knows_what_is_compiled_in() {
    let (workspace, docker, ignore) = (read("Cargo.toml"), read("Dockerfile"), read(".dockerignore"));
    let members = workspace.lines().find(|line| line.starts_with("members = ")).unwrap().split('"').skip(1).step_by(2);
    let sources =
        members.filter(|member| *member != "tests").flat_map(|member| all_files(&root().join(member).join("src")));
    let mut found = 0;
    for source in sources.filter(|path| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs"))
    {
        let text = std::fs::read_to_string(&source).unwrap();
        for name in text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let file = source.parent().unwrap().join(name).canonicalize().unwrap();
            let file = file.strip_prefix(root().canonicalize().unwrap()).unwrap().to_str().unwrap().to_owned();
            let folder = file.split('/').next().unwrap();
            let whole = docker.contains(&format!("COPY {folder}/ {folder}/\n"));
            assert!(
                whole || docker.contains(&format!("COPY {file} ")),
                "{file} of {} is not in Dockerfile",
                source.display()
            );
            let named = |line: &str| line == format!("!{folder}") || line == format!("!{file}");
            assert!(ignore.lines().any(named), "{file} of {} is left out by .dockerignore", source.display());
            found += 1;
        }
    }
    assert!(found > 0);
}
