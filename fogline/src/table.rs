//! Tables of text.

use std::fmt;

/// Between two columns.
const GUTTER: &str = "  ";

/// A table: the first column is aligned to the left, the others to the right, as numbers are, or to the left, as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    of_texts: bool,
}

impl Table {
    /// An empty table with these columns.
    #[must_use]
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new(), of_texts: false }
    }

    /// The same for texts: all columns are aligned to the left.
    #[must_use]
    pub fn of_texts(header: &[&str]) -> Self {
        Self { of_texts: true, ..Self::new(header) }
    }

    /// Adds a row. Cells that it lacks are empty; cells beyond the header have no column and are not shown.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, without line ends; the first one is the header.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.width(column)).collect();
        std::iter::once(&self.header).chain(&self.rows).map(|row| line(row, &widths, self.of_texts)).collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = std::iter::once(&self.header).chain(&self.rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

fn line(row: &[String], widths: &[usize], of_texts: bool) -> String {
    let cell = |(column, &width): (usize, &usize)| {
        let text = row.get(column).map_or("", String::as_str);
        if column == 0 || of_texts { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let cells: Vec<String> = widths.iter().enumerate().map(cell).collect();
    cells.join(GUTTER).trim_end().to_owned()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_below_each_other() {
        let mut table = Table::new(&["agent", "stored", "limit"]);
        table.row(["lane-1".to_owned(), "12,345".to_owned(), "100".to_owned()]);
        table.row(["house-1".to_owned(), "7".to_owned()]);
        let expected = "agent    stored  limit\nlane-1   12,345    100\nhouse-1       7\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn texts_begin_below_each_other() {
        let mut table = Table::of_texts(&["what", "file"]);
        table.row(["CA".to_owned(), "ca.pem".to_owned()]);
        assert_eq!(table.to_string(), "what  file\nCA    ca.pem\n");
    }
}
