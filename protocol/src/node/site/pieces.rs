//! The rows of an entry, cut into messages.

use crate::store::Rows;

/// The most bytes of rows in a message, unless one row is longer: with its envelope it fits a packet.
const PART_BYTES: usize = 40 * 1024;

/// Rows in pieces that fit a message.
pub(super) fn pieces(rows: Rows) -> Vec<Rows> {
    let Rows { term, progress, averages, decisions, directives, statuses, latest, stays, clarifications, plate_key } =
        rows;
    let mut pieces = Pieces { term, done: Vec::new(), piece: Rows { term, plate_key, ..Rows::default() }, bytes: 0 };
    progress.into_iter().for_each(|row| pieces.room_for(&row).progress.push(row));
    averages.into_iter().for_each(|row| pieces.room_for(&row).averages.push(row));
    decisions.into_iter().for_each(|row| pieces.room_for(&row).decisions.push(row));
    directives.into_iter().for_each(|row| pieces.room_for(&row).directives.push(row));
    statuses.into_iter().for_each(|row| pieces.room_for(&row).statuses.push(row));
    latest.into_iter().for_each(|row| pieces.room_for(&row).latest.push(row));
    stays.into_iter().for_each(|row| pieces.room_for(&row).stays.push(row));
    clarifications.into_iter().for_each(|row| pieces.room_for(&row).clarifications.push(row));
    pieces.done.push(pieces.piece);
    pieces.done
}

/// Pieces that are being filled.
struct Pieces {
    term: u64,
    done: Vec<Rows>,
    piece: Rows,
    bytes: usize,
}

impl Pieces {
    /// The piece that has room for this row: rows differ in length, a stream in fragments is a hundred times as long as an average.
    fn room_for(&mut self, row: &impl serde::Serialize) -> &mut Rows {
        let bytes = serde_json::to_vec(row).map_or(0, |json| json.len() + 1);
        if self.bytes > 0 && self.bytes + bytes > PART_BYTES {
            self.done.push(std::mem::replace(&mut self.piece, Rows { term: self.term, ..Rows::default() }));
            self.bytes = 0;
        }
        self.bytes += bytes;
        &mut self.piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ranges::Range;
    use crate::ids::{AgentId, Name, StreamId};
    use crate::store::{Progress, ProgressRow};

    #[test]
    fn rows_of_streams_in_fragments_fit_messages() {
        let agent = AgentId { region: Name::new("a7").unwrap(), agent: Name::new("lane-1").unwrap() };
        let ranges: Vec<Range> = (1..=64).map(|at| Range::new(at << 40, (at << 40) + 5)).collect();
        let row = |bits| {
            let progress = Progress { through: 1, ranges: ranges.clone() };
            ProgressRow::new(&agent, StreamId::from_bits(bits), progress, ranges.clone())
        };
        let rows = Rows { term: 7, progress: (0..300).map(row).collect(), ..Rows::default() };
        let pieces = pieces(rows.clone());
        assert_eq!(pieces.iter().flat_map(|piece| piece.progress.clone()).collect::<Vec<_>>(), rows.progress);
        for piece in pieces {
            assert_eq!(piece.term, 7);
            assert!(serde_json::to_vec(&piece).unwrap().len() <= 48 * 1024);
        }
    }
}
