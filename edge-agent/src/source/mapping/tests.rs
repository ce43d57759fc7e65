//! Payloads and what becomes of them.

use super::*;

const NOW: Wall = Wall::from_us(1_700_000_000_000_000);

fn mapping(form: TextForm) -> Mapping {
    let template = |text: &str| text.parse().unwrap();
    Mapping {
        form,
        sensor: template("boiler"),
        kind: template("heat"),
        field: template("value"),
        time: None,
        values: Vec::new(),
        lines: BTreeMap::new(),
        convention: &NO_CONVENTION,
    }
}

fn json(mapping: &Mapping, payload: &str) -> Result<String, MappingError> {
    let mut readings = Readings::new();
    mapping.map(payload.as_bytes(), &["a", "Living Room", "power"], NOW, &mut readings)?;
    let mut text = Vec::new();
    readings.get(0).unwrap().write_json(&mut text);
    Ok(String::from_utf8(text).unwrap().replace("1700000000000000", "NOW"))
}

#[test]
fn payloads_are_taken_as_they_look() {
    let auto = mapping(TextForm::Auto);
    for (payload, fields) in [
        ("21.5\n", r#"{"value":21.5}"#),
        ("ON", r#"{"value":true}"#),
        ("false", r#"{"value":false}"#),
        (
            r#"{"temp":"21.5","Deep":{"linkQuality":7,"text":"x"},"on":true,"list":[1]}"#,
            r#"{"deep_link_quality":7.0,"on":true,"temp":21.5}"#,
        ),
    ] {
        assert_eq!(
            json(&auto, payload).unwrap(),
            format!(r#"{{"ts_us":NOW,"sensor":"boiler","kind":"heat","fields":{fields}}}"#)
        );
    }
    let reading = r#"{"ts_us":5,"sensor":"roof","fields":{"a":1,"state":"ok"}}"#;
    assert_eq!(
        json(&auto, reading).unwrap(),
        r#"{"ts_us":5,"sensor":"roof","kind":"heat","fields":{"a":1.0,"state":"ok"}}"#
    );
    for (bad, error) in [
        ("abc", MappingError::Form("a number")),
        ("{", MappingError::Form("JSON")),
        ("{}", MappingError::Missing("value that could be a field")),
        (r#"{"state":"idle"}"#, MappingError::Missing("value that could be a field")),
        ("NaN", MappingError::Form("a number")),
    ] {
        assert_eq!(json(&auto, bad), Err(error), "{bad}");
    }
    let long = "1".repeat(PAYLOAD_MAX_BYTES + 1);
    assert_eq!(json(&auto, &long), Err(MappingError::TooLong(long.len())));
    assert!(matches!(json(&mapping(TextForm::Reading), "7"), Err(MappingError::Form(_))));
}

#[test]
fn paths_names_and_times_are_taken_from_topic_and_payload() {
    let mut mapping = mapping(TextForm::Json);
    mapping.sensor = "{2}-{$.id}".parse().unwrap();
    mapping.time = Some(("$.at".parse().unwrap(), TimeUnit::S));
    mapping.values =
        vec![("$.a[0]".parse().unwrap(), "first_c".to_owned()), ("/mode".parse().unwrap(), "mode".to_owned())];
    let text = json(&mapping, r#"{"id":7,"at":12,"a":[3],"mode":"eco","b":4}"#).unwrap();
    assert_eq!(
        text,
        r#"{"ts_us":12000000,"sensor":"living-room-7","kind":"heat","fields":{"first_c":3.0,"mode":"eco"}}"#
    );
    assert_eq!(json(&mapping, r#"{"at":12,"a":[3]}"#), Err(MappingError::Missing("sensor")));
    assert_eq!(json(&mapping, r#"{"id":7,"a":[3]}"#), Err(MappingError::Missing("time")));
    assert_eq!(json(&mapping, r#"{"id":7,"at":"noon","a":[3]}"#), Err(MappingError::Time));
}

#[test]
fn rows_and_expressions_are_taken_apart() {
    let columns = ["", "temperature_c", "note"].map(str::to_owned).to_vec();
    let rows = mapping(TextForm::Csv { columns, delimiter: ';' });
    assert!(json(&rows, "x; 21.5 ;\"hot\"").unwrap().contains(r#""fields":{"temperature_c":21.5}"#));
    assert!(json(&rows, "x;21.5").is_err());
    let expression = regex_lite::Regex::new(r"T=(?<temperature_c>-?[0-9.]+) H=(?<humidity_pct>[0-9]+)").unwrap();
    let lines = mapping(TextForm::Regex(expression));
    assert!(
        json(&lines, "# T=-3.5 H=40 ok").unwrap().contains(r#""fields":{"humidity_pct":40.0,"temperature_c":-3.5}"#)
    );
    assert!(json(&lines, "booting").is_err());
}
