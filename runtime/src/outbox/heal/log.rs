//! The write-ahead log of SQLite, frame by frame (<https://www.sqlite.org/fileformat2.html#walformat>).
//!
//! SQLite reads a log up to the first frame that is not as its checksum says, and forgets the rest without a word: after a
//! crash that is the write that was cut off. Damage in the middle of a log looks the same, and would cost all commits after
//! it. A frame's checksum goes on from that of the frame before, which is written there: so each can be judged by itself.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The last bit says in which order of bytes checksums are computed.
const MAGIC: u32 = 0x377f_0682;
/// The log is written back long before; more is not looked at.
const FRAMES_MAX: u64 = 1 << 20;
/// A crash cuts off one commit at most: nobody was told of it, and nothing came after it.
const CUT_OFF_COMMITS: usize = 1;

/// A frame that is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Which page it holds.
    pub(super) page: u32,
    /// Where in the log its page begins.
    pub(super) at: u64,
}

/// What a log holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// The sound frames up to the last commit, in order.
    pub(super) frames: Vec<Frame>,
    /// True when SQLite would not see all of them.
    pub(super) damaged: bool,
}

struct Header {
    sound: bool,
    big_endian: bool,
    salts: [u8; 8],
    checksum: [u32; 2],
}

/// True when SQLite would miss commits of the log at `path`. Reads it once; false when there is none.
pub(in super::super) fn is_damaged(path: &Path, page_bytes: usize) -> std::io::Result<bool> {
    match File::open(path) {
        Ok(file) => Ok(read(&file, page_bytes)?.damaged),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a log. An error in the middle ends it there.
pub(super) fn read(file: &File, page_bytes: usize) -> std::io::Result<Log> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    reader.seek(SeekFrom::Start(0))?;
    let mut head = [0; HEADER_BYTES];
    if reader.read_exact(&mut head).is_err() {
        return Ok(Log::default());
    }
    let mut header = parse_header(&head, page_bytes);
    let mut frames = Frames { seen: Vec::new(), salts: header.salts, previous: header.checksum };
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let mut at = HEADER_BYTES as u64;
    while (frames.seen.len() as u64) < FRAMES_MAX && reader.read_exact(&mut frame).is_ok() {
        if !header.sound && frames.seen.is_empty() {
            // The first frame says what the header does not say any more.
            frames.salts.copy_from_slice(frame.get(8..16).unwrap_or(&[0; 8]));
            header.big_endian = false;
        }
        frames.take(&frame, at + FRAME_HEADER_BYTES as u64, header.big_endian);
        at += frame.len() as u64;
    }
    Ok(frames.judge(header.sound))
}

fn parse_header(head: &[u8; HEADER_BYTES], page_bytes: usize) -> Header {
    let big_endian = word(head, 0) & 1 == 1;
    let checksum = checksum([0, 0], &head[..24], big_endian);
    let sound = word(head, 0) & !1 == MAGIC
        && usize::try_from(word(head, 8)).is_ok_and(|bytes| bytes == page_bytes)
        && checksum == [word(head, 24), word(head, 28)];
    let mut salts = [0; 8];
    salts.copy_from_slice(&head[16..24]);
    Header { sound, big_endian, salts, checksum: [word(head, 24), word(head, 28)] }
}

struct Seen {
    frame: Frame,
    /// Of this log's generation.
    ours: bool,
    sound: bool,
    commit: bool,
}

struct Frames {
    seen: Vec<Seen>,
    salts: [u8; 8],
    previous: [u32; 2],
}

impl Frames {
    fn take(&mut self, frame: &[u8], at: u64, big_endian: bool) {
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
        let stated = [word(head, 16), word(head, 20)];
        let computed = checksum(checksum(self.previous, head.get(..8).unwrap_or(&[]), big_endian), page, big_endian);
        let ours = head.get(8..16) == Some(&self.salts);
        let frame = Frame { page: word(head, 0), at };
        // Without its header's checksum the first frame cannot be judged: its rows have seals.
        let sound = ours && frame.page > 0 && computed == stated;
        self.seen.push(Seen { frame, ours, sound, commit: word(head, 4) > 0 });
        self.previous = stated;
    }

    fn judge(self, header_sound: bool) -> Log {
        let whole = if header_sound { self.seen.iter().take_while(|seen| seen.sound).count() } else { 0 };
        let beyond = self.seen.iter().skip(whole);
        let commits_beyond = beyond.clone().filter(|seen| seen.ours && seen.commit).count();
        let damaged = if header_sound { commits_beyond > CUT_OFF_COMMITS } else { commits_beyond > 0 };
        let end = if damaged { self.seen.len() } else { whole };
        let last_commit = self.seen.iter().take(end).rposition(|seen| seen.sound && seen.commit);
        let kept = self.seen.into_iter().take(last_commit.map_or(0, |at| at + 1));
        Log { frames: kept.filter(|seen| seen.sound).map(|seen| seen.frame).collect(), damaged }
    }
}

fn checksum([mut a, mut b]: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let number = |bytes: &[u8; 4]| if big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) };
    for pair in bytes.as_chunks::<4>().0.chunks_exact(2) {
        if let [first, second] = pair {
            a = a.wrapping_add(number(first)).wrapping_add(b);
            b = b.wrapping_add(number(second)).wrapping_add(a);
        }
    }
    [a, b]
}

/// The big-endian number at `at`; 0 beyond the end.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
