//! `--print-config` and `--check-config` of each program.

use clap::{Args, Command};
use fogline_tests::real::Recipe;
use std::path::Path;

/// Each program as it is started, with what it cannot do without, and the ids of its flags.
fn programs() -> [(&'static str, Vec<&'static str>, Vec<String>); 6] {
    let agent = || ids::<fogline_agent::settings::Settings>();
    let broker = || ids::<fogline_broker::Settings>();
    let ingest = || ids::<fogline_ingest::settings::Settings>();
    [
        ("fogline-broker", vec![], broker()),
        ("fogline-ingest", vec![], ingest()),
        ("fogline-agent", vec!["run", "--source", "simulate"], agent()),
        ("fogline", vec!["broker"], broker()),
        ("fogline", vec!["ingest"], ingest()),
        ("fogline", vec!["agent", "run", "--source", "simulate"], agent()),
    ]
}

fn ids<T: Args>() -> Vec<String> {
    let command = T::augment_args(Command::new("settings"));
    let shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
    shown.map(|flag| flag.get_id().to_string()).collect()
}

fn check(program: &str, words: &[&str], file: &Path) -> (Option<i32>, String) {
    let (status, said) = Recipe::ours(program).args(words).arg("--config").arg(file).arg("--check-config").run();
    (status.code(), said)
}

#[test]
fn what_is_printed_is_accepted_and_has_every_key() {
    let folder = tempfile::tempdir().unwrap();
    for (program, words, keys) in programs() {
        let (status, text) = Recipe::ours(program).args(words.clone()).arg("--print-config").run();
        assert!(status.success(), "{program} {words:?}: {text}");
        for key in keys {
            let is_line = |line: &str| line.trim_start_matches('#').starts_with(&format!("{key} = "));
            assert_eq!(text.lines().filter(|line| is_line(line)).count(), 1, "{program} {words:?}: {key}");
        }
        let file = folder.path().join("printed.toml");
        std::fs::write(&file, &text).unwrap();
        // Without the flags: what they said is in the file.
        let words: Vec<&str> = words.into_iter().take_while(|word| !word.starts_with("--")).collect();
        assert_eq!(check(program, &words, &file), (Some(0), "the settings are good".to_owned()), "{program} {words:?}");
    }
}

#[test]
fn all_that_is_wrong_is_said_with_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    for (program, words, text, expected) in [
        (
            "fogline-broker",
            vec![],
            "listn = 'x'\nmax_connections = 'many'\nsegment_count = 1\n",
            ["1: listn: there is no such key; did you mean listen?", "2: max_connections: ", "3: segment_count: "],
        ),
        (
            "fogline-ingest",
            vec![],
            "# site A\nmemory_mib = 0\nbrokers = ['http://x']\ncredits_kib = 7\n",
            [
                "2: memory_mib: 0 is not between",
                "3: broker: http://x",
                "4: credits_kib: there is no such key; did you mean credit_kib?",
            ],
        ),
        (
            "fogline-agent",
            vec!["run"],
            "source = 'simulate'\ntraces_endpoint = 'https://x'\ncommit_every = 50\nname = \n",
            ["2: traces_endpoint: it does not begin with http://", "3: commit_every: ", "4: not TOML: "],
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let (status, said) = check(program, &words, &file);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((status, lines.len()), (Some(2), expected.len()), "{program}: {said}");
        for (line, expected) in lines.into_iter().zip(expected) {
            assert!(line.starts_with(&format!("error: {}:{expected}", file.display())), "{program}: {expected} {said}");
        }
    }
}
