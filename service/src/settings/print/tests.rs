use super::super::testing::Sample;
use super::*;

#[test]
fn every_key_is_there_once_with_its_default_or_its_value() {
    let text = print(&Sample { name: Some("y".into()), ..Sample::default() });
    let expected = "\n# Where it listens [default: 80]\n# (--port, SAMPLE_PORT, needs a restart)\n#port = 80\n\n\
         # What it is called\n# (--name, read again at SIGHUP)\nname = \"y\"\n\n# == Others ==\n\n\
         # Whom it knows\n# (--peer, needs a restart)\n#peers = # HOST; not set\n\n#[[probes]]\n#kind = \"disk\"\n";
    assert!(text.ends_with(expected), "{text}");
    assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    let read: Sample = toml::from_str(&text).unwrap();
    assert_eq!(read.name.as_deref(), Some("y"));
}

#[test]
fn tables_that_are_given_are_printed() {
    let given: Sample = toml::from_str("name = 'y'\n[[probes]]\nkind = 'disk'\nevery = 3\n").unwrap();
    assert_eq!(toml::from_str::<Sample>(&print(&given)).unwrap(), given);
}
