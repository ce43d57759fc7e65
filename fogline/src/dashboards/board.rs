//! A board: panels in the order in which they are read.

use super::panel::{Panel, link};
use super::query::Source;
use super::variable::{Variable, data_source};
use super::{annotation, boards};
use serde_json::{Value, json};

/// Grafana's grid.
const COLUMNS: u8 = 24;
/// The layout of the document, as Grafana 11 writes it.
const SCHEMA_VERSION: u32 = 41;

/// A heading, or a picture.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Row(&'static str),
    Panel(Box<Panel>),
}

impl From<Panel> for Item {
    fn from(panel: Panel) -> Self {
        Self::Panel(Box::new(panel))
    }
}

/// One page of Grafana.
#[derive(Debug, Clone)]
pub(super) struct Board {
    /// The file is called so, and the address ends so: `fleet`.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) variables: Vec<Variable>,
    pub(super) items: Vec<Item>,
}

impl Board {
    /// What other boards and alerts call it.
    pub(super) fn uid(&self) -> String {
        format!("fogline-{}", self.name)
    }

    pub(super) fn json(&self) -> Value {
        let mut variables: Vec<Value> = self.sources().into_iter().map(data_source).collect();
        variables.extend(self.variables.iter().map(Variable::json));
        json!({
            "uid": self.uid(),
            "title": self.title,
            "description": self.description,
            "tags": ["fogline"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": false,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": { "from": "now-15m", "to": "now" },
            "timepicker": { "refresh_intervals": ["5s", "10s", "30s", "1m", "5m"] },
            "links": self.links(),
            "annotations": { "list": annotation::all(self.sources().contains(&Source::InfluxDb)) },
            "templating": { "list": variables },
            "panels": self.panels(),
        })
    }

    /// The number of the panel of that title.
    pub(super) fn panel_id(&self, title: &str) -> Option<u32> {
        let titled = |item: &Item| matches!(item, Item::Panel(panel) if panel.is_titled(title));
        self.items.iter().zip(1..).find(|(item, _)| titled(item)).map(|(_, id)| id)
    }

    fn sources(&self) -> Vec<Source> {
        let asked =
            |source: &Source| self.items.iter().any(|item| matches!(item, Item::Panel(panel) if panel.asks(*source)));
        [Source::InfluxDb, Source::Prometheus].into_iter().filter(asked).collect()
    }

    /// To all others, in the order of the list.
    fn links(&self) -> Vec<Value> {
        let others = boards::NAMES.iter().filter(|(name, _)| *name != self.name);
        others.map(|(name, title)| link(title, &format!("fogline-{name}"))).collect()
    }

    /// From left to right, and on in the next line when there is no room.
    fn panels(&self) -> Vec<Value> {
        let (mut placed, mut x, mut y, mut line) = (Vec::new(), 0, 0, 0);
        for (item, id) in self.items.iter().zip(1..) {
            let (width, height) = match item {
                Item::Row(_) => (COLUMNS, 1),
                Item::Panel(panel) => panel.extent(),
            };
            if x + width > COLUMNS {
                (x, y, line) = (0, y + line, 0);
            }
            placed.push(match item {
                Item::Row(title) => row(title, id, y),
                Item::Panel(panel) => panel.json(id, x, y),
            });
            (x, line) = (x + width, line.max(u32::from(height)));
        }
        placed
    }
}

fn row(title: &str, id: u32, y: u32) -> Value {
    let place = json!({ "x": 0, "y": y, "w": COLUMNS, "h": 1 });
    json!({ "id": id, "type": "row", "title": title, "collapsed": false, "gridPos": place, "panels": [] })
}
