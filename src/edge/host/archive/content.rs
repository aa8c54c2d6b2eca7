//! What an entry inflates to, piece by piece, against what it says of itself.

use super::Entry;
use super::source::Source;
use super::verdict::Refusal;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, Read, Seek};

/// Bytes read and unpacked at a time.
const PIECE_BYTES: usize = 64 * 1024;

pub(super) enum ContentError {
    Refused(Refusal),
    Read(io::Error),
    Sink(io::Error),
}

/// What came out so far.
struct Out<'a, F> {
    entry: &'a Entry,
    crc: flate2::Crc,
    bytes: u64,
    sink: F,
}

impl<F: FnMut(&[u8]) -> io::Result<()>> Out<'_, F> {
    /// Never hands on more than the entry says.
    fn take(&mut self, piece: &[u8]) -> Result<(), ContentError> {
        self.bytes += piece.len() as u64;
        if self.bytes > self.entry.size {
            return Err(ContentError::Refused(Refusal::Longer(self.entry.size)));
        }
        self.crc.update(piece);
        (self.sink)(piece).map_err(ContentError::Sink)
    }

    fn end(self) -> Result<(), ContentError> {
        let (size, crc) = (self.entry.size, self.entry.crc);
        if self.bytes < size {
            return Err(ContentError::Refused(Refusal::Shorter { said: size, is: self.bytes }));
        }
        if self.crc.sum() != crc {
            return Err(ContentError::Refused(Refusal::Crc { said: crc, is: self.crc.sum() }));
        }
        Ok(())
    }
}

/// Unpacks `entry` into `sink` and checks its sizes and its checksum.
pub(super) fn unpacked<R: Read + Seek>(
    source: &mut Source<R>,
    entry: &Entry,
    sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), ContentError> {
    let mut out = Out { entry, crc: flate2::Crc::new(), bytes: 0, sink };
    if entry.deflated {
        inflate(source, entry, &mut out)?;
    } else {
        let mut at = 0;
        while at < entry.packed {
            let piece = piece(source, entry, at)?;
            at += piece.len() as u64;
            out.take(&piece)?;
        }
    }
    out.end()
}

fn inflate<R: Read + Seek, F: FnMut(&[u8]) -> io::Result<()>>(
    source: &mut Source<R>,
    entry: &Entry,
    out: &mut Out<'_, F>,
) -> Result<(), ContentError> {
    let damaged = || ContentError::Refused(Refusal::Damaged);
    let mut inflater = Decompress::new(false);
    let mut room = vec![0; PIECE_BYTES];
    let (mut input, mut used) = (Vec::new(), 0);
    loop {
        let read = inflater.total_in();
        if used == input.len() && read < entry.packed {
            (input, used) = (piece(source, entry, read)?, 0);
        }
        let made = inflater.total_out();
        let status = inflater.decompress(&input[used..], &mut room, FlushDecompress::None).map_err(|_| damaged())?;
        let (taken, given) = (inflater.total_in() - read, inflater.total_out() - made);
        used += usize::try_from(taken).map_err(|_| damaged())?;
        out.take(&room[..usize::try_from(given).map_err(|_| damaged())?])?;
        match status {
            Status::StreamEnd => break,
            // Nothing more comes out of what there is.
            Status::Ok | Status::BufError if taken == 0 && given == 0 => return Err(damaged()),
            Status::Ok | Status::BufError => {}
        }
    }
    match entry.packed - inflater.total_in() {
        0 => Ok(()),
        left => Err(ContentError::Refused(Refusal::Slack(left))),
    }
}

/// The packed bytes of `entry` from `at` on, as many as are read at a time.
fn piece<R: Read + Seek>(source: &mut Source<R>, entry: &Entry, at: u64) -> Result<Vec<u8>, ContentError> {
    let count = usize::try_from(entry.packed - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
    let bytes = source.exactly(entry.data + at, count).map_err(ContentError::Read)?;
    bytes.ok_or(ContentError::Refused(Refusal::Damaged))
}
