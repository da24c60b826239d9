use merkle::Hash;
use proptest::prelude::*;

use super::*;
use crate::tables::{INTENTS, TRACKS};
use crate::tx::testing::Bench;
use crate::tx::{Effect, in_tx};
use crate::types::Kid;
use crate::types::link::{Dialect, TrackStep};

fn label(byte: u8) -> Label {
    Label(Hash([byte; 32]))
}

fn subject(byte: u8) -> Subject<'static> {
    Subject {
        label: label(byte),
        handle: Held::Name(None),
    }
}

fn stamp(at: u64) -> Stamp {
    Stamp {
        salt: [9; 32],
        at: UnixMillis(at),
    }
}

fn step(dialect: Dialect, seqno: u32, prev: Option<u8>, hash: u8) -> TrackStep {
    TrackStep {
        dialect,
        seqno: Seqno::new(seqno).unwrap(),
        prev: prev.map(|byte| Hash([byte; 32])),
        hash: Hash([hash; 32]),
    }
}

fn signed(track: TrackStep) -> Evidence {
    Evidence::Signed {
        kid: Kid([1; 35]),
        payload: Bytes::new(),
        signature: Bytes::new(),
        track: Some(track),
    }
}

async fn append(bench: &Bench, of: u8, evidence: Evidence) -> Result<ChainHead, ChainError> {
    in_tx!(bench, "append", |tx| append_in(
        tx,
        subject(of),
        Statement::ReleaseHandle,
        evidence.clone(),
        stamp(5)
    )
    .await)
}

fn expected(outcome: Result<ChainHead, ChainError>) -> u32 {
    let Err(ChainError::OutOfSequence { expected }) = outcome else {
        unreachable!("out of sequence, not {outcome:?}");
    };
    expected.get()
}

#[tokio::test]
async fn a_link_gets_its_place_is_stored_and_queued() {
    let bench = Bench::new();
    let first = append(&bench, 1, Evidence::Operator).await.unwrap();
    let second = append(&bench, 1, Evidence::Operator).await.unwrap();
    let other = append(&bench, 2, Evidence::Operator).await.unwrap();
    let seqnos = [first, second, other].map(|head| head.seqno.get());
    assert_eq!(seqnos, [1, 2, 1]);
    let rows = bench.rows.table(LINKS.tag());
    assert_eq!(rows.len(), 3);
    for ((key, value), head) in rows.iter().zip([first, second, other]) {
        let (of, seqno) = LINKS.read_key(key).unwrap();
        let row = LINKS.read(value).unwrap();
        assert_eq!(merkle::entry::commit(&[9; 32], &row.link), head.hash.0);
        let link = Link::decode(&row.link).unwrap();
        assert_eq!((link.label, link.seqno.get()), (of, seqno));
        assert_eq!(link.prev, (seqno == 2).then_some(first.hash));
        assert_eq!(link.created_at, UnixMillis(5));
    }
    assert_eq!(bench.rows.table(INTENTS.tag()).len(), 3);
    let effects = bench.effects.lock().unwrap();
    let Effect::EntryQueued(Queued { entry, .. }) = &effects[1] else {
        unreachable!("an entry is queued");
    };
    assert_eq!(
        (entry.label, entry.seqno, entry.commitment),
        (label(1).0, 2, second.hash.0)
    );
}

#[tokio::test]
async fn two_links_of_one_unit_follow_each_other() {
    let bench = Bench::new();
    let heads = in_tx!(bench, "append_two", |tx| async {
        let mut heads = Vec::new();
        for _ in 0..2 {
            let (statement, evidence) = (Statement::ReleaseHandle, Evidence::Operator);
            heads.push(append_in(tx, subject(1), statement, evidence, stamp(1)).await?);
        }
        Ok::<_, ChainError>(heads)
    }
    .await);
    let heads = heads.unwrap();
    assert_eq!(heads[1].seqno.get(), 2);
    let (_, last) = &bench.rows.table(LINKS.tag())[1];
    let link = Link::decode(&LINKS.read(last).unwrap().link).unwrap();
    assert_eq!(link.prev, Some(heads[0].hash));
}

#[tokio::test]
async fn a_track_is_checked_and_moves_with_its_link_only() {
    let bench = Bench::new();
    use Dialect::{Keybase, ProofService};
    for wrong in [step(Keybase, 2, None, 1), step(Keybase, 1, Some(0), 1)] {
        assert_eq!(expected(append(&bench, 1, signed(wrong)).await), 1);
    }
    assert!(
        bench.rows.table(LINKS.tag()).is_empty(),
        "a refusal writes nothing"
    );
    append(&bench, 1, signed(step(Keybase, 1, None, 11)))
        .await
        .unwrap();
    // Links of the server, and of another protocol or subject, do not move it.
    append(&bench, 1, Evidence::Operator).await.unwrap();
    append(&bench, 1, signed(step(ProofService, 1, None, 21)))
        .await
        .unwrap();
    append(&bench, 2, signed(step(Keybase, 1, None, 31)))
        .await
        .unwrap();
    for wrong in [
        step(Keybase, 1, None, 11),
        step(Keybase, 2, None, 12),
        step(Keybase, 2, Some(21), 12),
        step(Keybase, 3, Some(11), 12),
    ] {
        assert_eq!(expected(append(&bench, 1, signed(wrong)).await), 2);
    }
    let head = append(&bench, 1, signed(step(Keybase, 2, Some(11), 12)))
        .await
        .unwrap();
    assert_eq!(head.seqno.get(), 4, "the chain has its own numbers");
}

#[tokio::test]
async fn a_full_chain_and_a_full_track_are_refused() {
    let bench = Bench::new();
    let row = ChainHeadRow {
        seqno: u32::MAX,
        hash: vec![1; 32],
        name: None,
        is_avatar: false,
    };
    use crate::table::Row as _;
    bench.rows.write(CHAIN_HEADS.key(&label(1)), row.write());
    let full = append(&bench, 1, Evidence::Operator).await;
    assert!(matches!(full, Err(ChainError::Full)));
    let track = crate::tables::TrackRow {
        next: u32::MAX,
        prev: vec![7; 32],
    };
    let key = (label(2), Dialect::Keybase as u8);
    bench.rows.write(TRACKS.key(&key), track.write());
    let last = signed(step(Dialect::Keybase, u32::MAX, Some(7), 8));
    assert!(matches!(
        append(&bench, 2, last).await,
        Err(ChainError::Full)
    ));
}

#[tokio::test]
async fn a_malformed_head_or_track_is_our_failure() {
    use crate::table::Row as _;
    let bench = Bench::new();
    for (of, seqno, hash) in [(1, 0, vec![1; 32]), (2, 1, vec![1; 31])] {
        let row = ChainHeadRow {
            seqno,
            hash,
            name: None,
            is_avatar: false,
        };
        bench.rows.write(CHAIN_HEADS.key(&label(of)), row.write());
        let outcome = append(&bench, of, Evidence::Operator).await;
        assert!(matches!(outcome, Err(ChainError::Internal(_))));
    }
}

#[derive(Clone, Debug)]
struct Try {
    of: u8,
    dialect: Option<Dialect>,
    seqno_off: u32,
    wrong_prev: bool,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let dialect = prop_oneof![
        Just(None),
        Just(Some(Dialect::Keybase)),
        Just(Some(Dialect::ProofService)),
    ];
    let one = (0..2_u8, dialect, 0..8_u32, 0..6_u8).prop_map(|(of, dialect, off, prev)| Try {
        of,
        dialect,
        seqno_off: off.saturating_sub(6),
        wrong_prev: prev == 0,
    });
    proptest::collection::vec(one, 1..40)
}

proptest! {
    /// Chains and tracks against counters.
    #[test]
    fn chains_and_tracks_behave_like_counters(tries in tries()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let mut chains = [0_u32; 2];
            let mut tracks = [[(1_u32, None::<u8>); 2]; 2];
            for (at, attempt) in (0_u8..).zip(&tries) {
                let of = usize::from(attempt.of);
                let (evidence, fits) = match attempt.dialect {
                    None => (Evidence::Operator, true),
                    Some(dialect) => {
                        let (next, prev) = tracks[of][dialect as usize - 1];
                        let claimed = if attempt.wrong_prev { Some(0xee) } else { prev };
                        let seqno = next + attempt.seqno_off;
                        let step = step(dialect, seqno, claimed, at);
                        (signed(step), attempt.seqno_off == 0 && !attempt.wrong_prev)
                    }
                };
                let outcome = append(&bench, attempt.of, evidence).await;
                if !fits {
                    let (next, _) = tracks[of][attempt.dialect.unwrap() as usize - 1];
                    assert_eq!(expected(outcome), next);
                    continue;
                }
                chains[of] += 1;
                assert_eq!(outcome.unwrap().seqno.get(), chains[of]);
                if let Some(dialect) = attempt.dialect {
                    let track = &mut tracks[of][dialect as usize - 1];
                    *track = (track.0 + 1, Some(at));
                }
            }
        });
    }
}
