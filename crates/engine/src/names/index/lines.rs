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
struct Piece {
    text: Vec<u8>,
    lines: usize,
}

impl Lines {
    /// No lines. A piece is split before it grows past this many bytes, far more than a line has.
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

    /// The text of the pieces, in order, from the first line on that is not smaller; each ends with a
    /// newline.
    pub(super) fn texts_from(&self, line: &[u8]) -> impl Iterator<Item = &[u8]> {
        let pieces = self.pieces.iter().skip(self.piece_of(line));
        let mut texts = pieces.map(|piece| piece.text.as_slice());
        let first = texts.next().map(|text| {
            let offset = find(text, line).unwrap_or_else(|offset| offset);
            text.get(offset..).unwrap_or_default()
        });
        first.into_iter().chain(texts)
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
        if self.pieces.is_empty() {
            self.pieces.push(Piece::new(self.piece_bytes_max));
        }
        let (at, place) = self.place_of(line);
        let (Some(piece), Err(offset)) = (self.pieces.get_mut(at), place) else {
            return;
        };
        self.len += 1;
        if piece.text.len() + line.len() < self.piece_bytes_max {
            piece.insert(offset, line);
            return;
        }
        // Lines that come in order, one way or the other, leave full pieces behind.
        let (is_first, is_last) = (at == 0 && offset == 0, offset == piece.text.len());
        let cut = match (is_first, is_last) {
            (true, _) => 0,
            (false, true) => offset,
            (false, false) => next_line(&piece.text, piece.text.len() / 2),
        };
        let mut upper = piece.split(cut, self.piece_bytes_max);
        match offset.checked_sub(cut) {
            Some(offset) if !is_first => upper.insert(offset, line),
            Some(_) | None => piece.insert(offset, line),
        }
        self.pieces.insert(at + 1, upper);
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
            self.merge(at);
        }
    }

    /// Joins a piece that is less than a quarter full with a neighbour, if both have room in one; so
    /// that what is left of old pieces does not keep all of their memory.
    fn merge(&mut self, at: usize) {
        let bytes = |at: usize| self.pieces.get(at).map(|piece| piece.text.len());
        let room = self.piece_bytes_max / 4 * 3;
        let Some(own) = bytes(at).filter(|own| *own < self.piece_bytes_max / 4) else {
            return;
        };
        let fits = |other: &usize| bytes(*other).is_some_and(|other| own + other <= room);
        let after = Some(at + 1).filter(fits).map(|_| at);
        let before = || at.checked_sub(1).filter(fits);
        if own == 0 {
            self.pieces.remove(at);
        } else if let Some(lower) = after.or_else(before) {
            let upper = self.pieces.remove(lower + 1);
            if let Some(lower) = self.pieces.get_mut(lower) {
                lower.text.extend_from_slice(&upper.text);
                lower.lines += upper.lines;
            }
        }
    }

    /// The piece a line belongs to, and where it stands in it, or where it would. The end is looked at
    /// first: lines that come in order belong there.
    fn place_of(&self, line: &[u8]) -> (usize, Result<usize, usize>) {
        let at = self.pieces.len().saturating_sub(1);
        let text = self.pieces.last().map_or(&[][..], |piece| &piece.text);
        let end = text.len().saturating_sub(1);
        let last = text.get(line_start(text, end)..end).unwrap_or_default();
        if last < line {
            return (at, Err(text.len()));
        }
        let at = self.piece_of(line);
        let text = self.pieces.get(at).map_or(&[][..], |piece| &piece.text);
        (at, find(text, line))
    }

    /// The piece a line belongs to: the last whose first line is not greater.
    fn piece_of(&self, line: &[u8]) -> usize {
        self.pieces
            .partition_point(|piece| first(&piece.text) <= line)
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
    /// An empty piece with all the memory it will ever need.
    fn new(bytes_max: usize) -> Self {
        Self {
            text: Vec::with_capacity(bytes_max),
            lines: 0,
        }
    }

    fn insert(&mut self, offset: usize, line: &[u8]) {
        let bytes = line.iter().copied().chain([b'\n']);
        self.text.splice(offset..offset, bytes);
        self.lines += 1;
    }

    /// Takes off what is from `cut` on.
    fn split(&mut self, cut: usize, bytes_max: usize) -> Self {
        let mut upper = Self::new(bytes_max);
        upper.text.extend(self.text.drain(cut..));
        upper.lines = memchr::memchr_iter(b'\n', &upper.text).count();
        self.lines -= upper.lines;
        upper
    }
}

/// The first line of a piece, without its newline.
pub(super) fn first(text: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
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
