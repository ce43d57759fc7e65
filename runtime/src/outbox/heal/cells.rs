//! Rows on a page of a table, as SQLite writes them (<https://www.sqlite.org/fileformat2.html#b_tree_pages>). Nothing on the
//! page is believed before it was checked against the page's end.

use super::pages::Pages;

/// A page of a table that holds rows.
const TABLE_LEAF: u8 = 0x0d;
/// What comes before the first page's rows.
const FILE_HEADER_BYTES: usize = 100;
const PAGE_HEADER_BYTES: usize = 8;
/// Longer than any row that an agent writes.
const ROW_BYTES_MAX: usize = 1 << 20;
/// More than any table of the queue has.
const COLUMNS_MAX: usize = 16;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

/// A row: its number and its values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) values: Vec<Value>,
}

/// The rows on page `number`, as far as they can be read: none when it is not a page of rows.
pub(super) fn rows(pages: &mut Pages, number: u32) -> Vec<Row> {
    let Some(page) = pages.read(number) else { return Vec::new() };
    let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
    if page.get(start) != Some(&TABLE_LEAF) {
        return Vec::new();
    }
    let count = usize::from(u16_at(&page, start + 3));
    let cells = (0..count).map(|index| start + PAGE_HEADER_BYTES + 2 * index).take_while(|at| at + 2 <= page.len());
    let cells: Vec<usize> = cells.map(|at| usize::from(u16_at(&page, at))).collect();
    cells.into_iter().filter_map(|at| row(pages, &page, at)).collect()
}

fn row(pages: &mut Pages, page: &[u8], at: usize) -> Option<Row> {
    let mut rest = page.get(at..)?;
    let length = usize::try_from(varint(&mut rest)?).ok().filter(|length| *length <= ROW_BYTES_MAX)?;
    let id = varint(&mut rest)?.cast_signed();
    let payload = payload(pages, page.len(), rest, length)?;
    Some(Row { id, values: values(&payload)? })
}

/// The bytes of a row: on the page, and what did not fit on pages of its own.
fn payload(pages: &mut Pages, page_bytes: usize, rest: &[u8], length: usize) -> Option<Vec<u8>> {
    let most = page_bytes - 35;
    let local = if length <= most {
        length
    } else {
        let least = (page_bytes - 12) * 32 / 255 - 23;
        let wanted = least + (length - least) % (page_bytes - 4);
        if wanted <= most { wanted } else { least }
    };
    let mut payload = rest.get(..local)?.to_vec();
    let mut next = rest.get(local..).map_or(0, |rest| u32_at(rest, 0));
    while payload.len() < length {
        let page = pages.read(next).filter(|_| next > 0)?;
        let piece = page.get(4..)?;
        payload.extend_from_slice(piece.get(..(length - payload.len()).min(piece.len()))?);
        next = u32_at(&page, 0);
    }
    Some(payload)
}

fn values(payload: &[u8]) -> Option<Vec<Value>> {
    let mut head = payload;
    let header_bytes = usize::try_from(varint(&mut head)?).ok()?;
    let mut types = payload.get(payload.len() - head.len()..header_bytes)?;
    let mut body = payload.get(header_bytes..)?;
    let mut values = Vec::new();
    while !types.is_empty() && values.len() < COLUMNS_MAX {
        values.push(value(varint(&mut types)?, &mut body)?);
    }
    // A row that is longer or shorter than it says was not written so.
    (types.is_empty() && body.is_empty()).then_some(values)
}

fn value(kind: u64, body: &mut &[u8]) -> Option<Value> {
    Some(match kind {
        0 => Value::Null,
        1..=4 => Value::Int(int(split(body, usize::try_from(kind).ok()?)?)),
        5 => Value::Int(int(split(body, 6)?)),
        6 => Value::Int(int(split(body, 8)?)),
        8 => Value::Int(0),
        9 => Value::Int(1),
        12.. => {
            let bytes = split(body, usize::try_from((kind - 12) / 2).ok()?)?.to_vec();
            if kind.is_multiple_of(2) { Value::Blob(bytes) } else { Value::Text(bytes) }
        }
        _ => return None,
    })
}

fn int(bytes: &[u8]) -> i64 {
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |number, byte| (number << 8) | i64::from(*byte))
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (piece, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(piece)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for index in 0..9 {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        if index == 8 {
            return Some((number << 8) | u64::from(*first));
        }
        number = (number << 7) | u64::from(first & 0x7f);
        if first & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
