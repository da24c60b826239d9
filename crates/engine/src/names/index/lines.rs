//! Sorted lines in pieces of text.
//!
//! Lines end with a newline, and stand in pieces of a bounded size, sorted over all pieces: an
//! insertion moves at most one piece, a search is a run over contiguous text, and the n-th line is
//! found by the counts of the pieces before it.

/// A set of lines, in the order of their bytes. A line holds no newline.
pub(super) struct Lines {
    pieces: Vec<Piece>,
    piece_bytes_max: usize,
    len: usize,
}

/// Lines, each followed by a newline.
#[derive(Default)]
struct Piece {
    text: Vec<u8>,
    lines: usize,
}

impl Lines {
    /// No lines. A piece is split when it grows past this many bytes.
    pub(super) const fn new(piece_bytes_max: usize) -> Self {
        Self {
            pieces: Vec::new(),
            piece_bytes_max,
            len: 0,
        }
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The text of the pieces, in order; each ends with a newline.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| piece.text.as_slice())
    }

    /// The lines from the `skip`-th on, in order.
    pub(super) fn from(&self, skip: usize) -> impl Iterator<Item = &[u8]> {
        let mut skip = skip;
        let mut pieces = self.pieces.iter();
        // All but the piece that holds the first line are passed over by their counts.
        let first = pieces.find(|piece| {
            let is_before = piece.lines <= skip;
            skip -= if is_before { piece.lines } else { 0 };
            !is_before
        });
        let texts = first.into_iter().chain(pieces).map(|piece| &piece.text);
        texts.flat_map(|text| split(text)).skip(skip)
    }

    /// The first line that is not smaller.
    pub(super) fn at_or_after(&self, line: &[u8]) -> Option<&[u8]> {
        let at = self.piece_of(line);
        let offset = find(&self.pieces.get(at)?.text, line).unwrap_or_else(|offset| offset);
        let rest = self.pieces.get(at)?.text.get(offset..).unwrap_or_default();
        let next = || self.pieces.get(at.saturating_add(1));
        split(rest)
            .next()
            .or_else(|| next().and_then(|piece| split(&piece.text).next()))
    }

    /// Adds a line, unless it is there.
    pub(super) fn insert(&mut self, line: &[u8]) {
        let at = self.piece_of(line);
        if self.pieces.is_empty() {
            self.pieces.push(Piece::default());
        }
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        let Err(offset) = find(&piece.text, line) else {
            return;
        };
        let bytes = line.iter().copied().chain([b'\n']);
        piece.text.splice(offset..offset, bytes);
        piece.lines += 1;
        self.len += 1;
        if piece.text.len() > self.piece_bytes_max {
            let upper = piece.split();
            if upper.lines > 0 {
                self.pieces.insert(at + 1, upper);
            }
        }
    }

    /// Removes a line, if it is there.
    pub(super) fn remove(&mut self, line: &[u8]) {
        let at = self.piece_of(line);
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        if let Ok(offset) = find(&piece.text, line) {
            piece.text.drain(offset..=offset + line.len());
            piece.lines -= 1;
            self.len -= 1;
            if piece.lines == 0 {
                self.pieces.remove(at);
            }
        }
    }

    /// The piece a line belongs to: the last whose first line is not greater.
    fn piece_of(&self, line: &[u8]) -> usize {
        self.pieces
            .partition_point(|piece| split(&piece.text).next().is_some_and(|first| first <= line))
            .saturating_sub(1)
    }

    /// Bytes of the largest piece.
    #[cfg(test)]
    pub(super) fn largest_piece(&self) -> usize {
        let sizes = self.pieces.iter().map(|piece| piece.text.len());
        sizes.max().unwrap_or_default()
    }
}

impl Piece {
    /// Takes the upper half off.
    fn split(&mut self) -> Self {
        let text = self
            .text
            .split_off(next_line(&self.text, self.text.len() / 2));
        let lines = memchr::memchr_iter(b'\n', &text).count();
        self.lines -= lines;
        Self { text, lines }
    }
}

/// The lines of a piece, without their newlines.
fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memchr_iter(b'\n', text).map(move |end| {
        let line = text.get(from..end).unwrap_or_default();
        from = end + 1;
        line
    })
}

/// Where a line stands in a piece, or where it would.
fn find(text: &[u8], line: &[u8]) -> Result<usize, usize> {
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let middle = line_start(text, low + (high - low) / 2);
        let end = next_line(text, middle);
        let found = text.get(middle..end.saturating_sub(1)).unwrap_or_default();
        match found.cmp(line) {
            std::cmp::Ordering::Less => low = end,
            std::cmp::Ordering::Equal => return Ok(middle),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Err(low)
}

/// Start of the line that covers offset `at`.
pub(super) fn line_start(text: &[u8], at: usize) -> usize {
    text.get(..at)
        .and_then(|head| memchr::memrchr(b'\n', head))
        .map_or(0, |newline| newline + 1)
}

/// Start of the line behind the one that covers offset `at`.
pub(super) fn next_line(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(text.len(), |newline| at + newline + 1)
}
