//! A planted fault.

use std::hint::black_box;

/// Fails on any input that begins with six certain bytes: one in 2^48 by chance, seconds for an engine
/// that is told which branch an input reached.
///
/// # Panics
/// On the planted input.
pub(crate) fn check(data: &[u8]) {
    let byte = |at: usize| data.get(at).copied().unwrap_or_default();
    // One branch a byte, which no compiler may join to one comparison of all.
    if black_box(byte(0)) == b'C' {
        black_box(1);
        if black_box(byte(1)) == b'4' {
            black_box(2);
            if black_box(byte(2)) == b'n' {
                black_box(3);
                if black_box(byte(3)) == b'@' {
                    black_box(4);
                    if black_box(byte(4)) == 0x07 {
                        black_box(5);
                        assert!(black_box(byte(5)) != b'!', "the canary was found");
                    }
                }
            }
        }
    }
}
