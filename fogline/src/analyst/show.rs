//! Answers as tables.

use crate::figures::{count, instant};
use crate::table::Table;
use fogline_protocol::city::{Aggregate, EdgeNode, Place, Statistics};

type Shown = Result<String, serde_json::Error>;

pub(super) fn nodes(nodes: Vec<EdgeNode>) -> Shown {
    let mut table = Table::of_texts(&["node", "host", "ports", "u", "v"]);
    for node in nodes {
        let ports: Vec<String> = node.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
        let ports = if ports.is_empty() { "-".to_owned() } else { ports.join(",") };
        table.row([node.id.to_string(), node.host, ports, format!("{:>2}", node.u), format!("{:>2}", node.v)]);
    }
    Ok(table.to_string())
}

pub(super) fn nearest(node: &EdgeNode, u: u32, v: u32) -> Shown {
    let distance = node.place().distance(Place { u, v });
    Ok(format!("{}  at {},{}, {distance} away, {}\n", node.id, node.u, node.v, node.host))
}

pub(super) fn averages(averages: &[Aggregate]) -> Shown {
    let mut table = Table::new(&["window ends (UTC)", "seconds", "PM-10 µg/m³", "values"]);
    for average in averages {
        let width_ms = (average.to_us - average.from_us) / 1000;
        let seconds = format!("{}.{}", width_ms / 1000, width_ms % 1000 / 100);
        let mean = format!("{:.1}", average.mean_ugm3);
        table.row([instant(u64::try_from(average.to_us).unwrap_or(0)), seconds, mean, count(average.n)]);
    }
    Ok(table.to_string())
}

pub(super) fn statistics(statistics: &Statistics) -> Shown {
    let mut table = Table::new(&["averages", "mean µg/m³", "standard deviation µg/m³"]);
    let Statistics { n, mean_ugm3, stddev_ugm3 } = statistics;
    table.row([n.to_string(), format!("{mean_ugm3:.2}"), format!("{stddev_ugm3:.2}")]);
    Ok(table.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn nodes_stand_below_each_other() {
        let node = |id: &str, ports| json!({ "id": id, "host": "10.0.0.1", "ports": ports, "u": 5, "v": 99 });
        let list = [node("a", json!({ "http": 80, "mqtt": 1883 })), node("node-2", json!({}))];
        let text = nodes(from_value(json!(list)).unwrap()).unwrap();
        let expected = "\
node    host      ports              u   v
a       10.0.0.1  http=80,mqtt=1883   5  99
node-2  10.0.0.1  -                   5  99
";
        assert_eq!(text, expected);
        let near = nearest(&from_value(list[0].clone()).unwrap(), 0, 90).unwrap();
        assert_eq!(near, "a  at 5,99, 14 away, 10.0.0.1\n");
    }

    #[test]
    fn averages_and_statistics_stand_below_each_other() {
        let to_us = 1_700_000_005_250_000_i64;
        let average = json!({ "id": "a", "ts_us": to_us, "from_us": to_us - 5_000_000, "to_us": to_us, "mean_ugm3": 21.46, "n": 1234 });
        let text = averages(&[from_value(average).unwrap()]).unwrap();
        let expected = "\
window ends (UTC)        seconds  PM-10 µg/m³  values
2023-11-14 22:13:25.250      5.0         21.5   1,234
";
        assert_eq!(text, expected);
        let text =
            statistics(&from_value(json!({ "n": 100, "mean_ugm3": 20.0, "stddev_ugm3": 1.234 })).unwrap()).unwrap();
        assert_eq!(
            text,
            "averages  mean µg/m³  standard deviation µg/m³\n100            20.00                      1.23\n"
        );
    }
}
