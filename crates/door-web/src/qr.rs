//! The barcode of a Tox ID, as the original drew it: level L, modules of 5 pixels, a border of 3
//! modules.

use std::fmt::Write as _;

use engine::types::ToxId;
use fast_qr::{ECL, QRBuilder};

/// Pixels of a module.
const MODULE: usize = 5;
/// Modules of white around the code.
const BORDER: usize = 3;

/// An SVG file with the code of `tox:<tox id in lower case>`, dark on white whatever the theme.
///
/// # Panics
/// Never: 80 bytes fit a code of version 5.
pub(crate) fn svg(tox_id: &ToxId) -> String {
    let text = format!("tox:{}", tox_id.to_string().to_lowercase());
    let code = QRBuilder::new(text)
        .ecl(ECL::L)
        .build()
        .expect("80 bytes fit a code of version 5");
    let pixels = (code.size + 2 * BORDER) * MODULE;
    let mut path = String::new();
    for row in 0..code.size {
        for (from, length) in runs((0..code.size).map(|column| is_dark(&code, row, column))) {
            let (x, y) = ((from + BORDER) * MODULE, (row + BORDER) * MODULE);
            let width = length * MODULE;
            // A String takes whatever is written to it.
            let _ = write!(path, "M{x} {y}h{width}v{MODULE}h-{width}z");
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
         viewBox=\"0 0 {pixels} {pixels}\" shape-rendering=\"crispEdges\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><path d=\"{path}\"/></svg>\n"
    )
}

fn is_dark(code: &fast_qr::QRCode, row: usize, column: usize) -> bool {
    let module = code.data.get(row * code.size + column);
    module.is_some_and(|module| module.value())
}

/// Where the runs of `true` begin, and how long each is.
fn runs(row: impl Iterator<Item = bool>) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, is_set) in row.enumerate() {
        match found.last_mut() {
            Some((from, length)) if is_set && *from + *length == at => *length += 1,
            Some(_) | None if is_set => found.push((at, 1)),
            Some(_) | None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_joined() {
        let row = [true, true, false, true, false, false, true];
        assert_eq!(runs(row.into_iter()), [(0, 2), (3, 1), (6, 1)]);
        assert_eq!(runs([false].into_iter()), []);
    }

    #[test]
    fn the_code_has_the_original_s_measures() {
        let svg = svg(&testkit::tox_id(&[7; 32], [1, 2, 3, 4]));
        // Version 5 has 37 modules: (37 + 6) * 5.
        assert!(svg.contains("width=\"215\" height=\"215\""), "{svg}");
        // The finder in the corner: a run of seven modules behind the border.
        assert!(svg.contains("<path d=\"M15 15h35v5h-35z"), "{svg}");
    }
}
