//! The reference tree of the certificate transparency project.

use merkle::proof::{ConsistencyPlan, InclusionPlan, verify_consistency, verify_inclusion};
use merkle::range::CompactRange;
use merkle::tile::NodeId;
use merkle::{Hash, empty_root, leaf_hash};
use serde_json::Value;

struct Reference(Value);

impl Reference {
    fn load() -> Self {
        Self(serde_json::from_str(include_str!("../../vectors/rfc6962.json")).unwrap())
    }

    fn leaves(&self) -> Vec<Hash> {
        let decode = |text: &Value| {
            data_encoding::HEXLOWER
                .decode(text.as_str().unwrap().as_bytes())
                .unwrap()
        };
        self.0["leaves"]
            .as_array()
            .unwrap()
            .iter()
            .map(|leaf| leaf_hash(&decode(leaf)))
            .collect()
    }

    fn root(&self, size: u64) -> Hash {
        match size.checked_sub(1) {
            None => hash(&self.0["empty_root"]),
            Some(before) => hash(&self.0["roots"][at(before)]),
        }
    }

    fn nodes(&self, nodes: &[NodeId]) -> Vec<Hash> {
        let levels = &self.0["nodes"];
        let node = |node: &NodeId| &levels[usize::from(node.level)][at(node.index)];
        nodes.iter().map(|id| hash(node(id))).collect()
    }
}

fn at(index: u64) -> usize {
    usize::try_from(index).unwrap()
}

fn hash(text: &Value) -> Hash {
    Hash::from_hex(text.as_str().unwrap()).unwrap()
}

fn hashes(list: &Value) -> Vec<Hash> {
    list.as_array().unwrap().iter().map(hash).collect()
}

#[test]
fn roots() {
    let reference = Reference::load();
    let mut range = CompactRange::new();
    assert_eq!(range.root(), reference.root(0));
    assert_eq!(range.root(), empty_root());
    for leaf in reference.leaves() {
        range.push(leaf);
        assert_eq!(range.root(), reference.root(range.size()));
        assert_eq!(
            reference.nodes(&CompactRange::nodes(range.size())),
            range.hashes()
        );
    }
    assert_eq!(range.size(), 8);
}

#[test]
fn inclusion_paths() {
    let reference = Reference::load();
    let leaves = reference.leaves();
    let cases = reference.0["inclusion"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let (index, size) = (
            case["index"].as_u64().unwrap(),
            case["size"].as_u64().unwrap(),
        );
        let plan = InclusionPlan::new(index, size).unwrap();
        let path = plan.finish(&reference.nodes(plan.nodes())).unwrap();
        assert_eq!(path, hashes(&case["path"]));
        let leaf = &leaves[at(index)];
        assert_eq!(
            verify_inclusion(index, size, leaf, &path, &reference.root(size)),
            Ok(())
        );
    }
}

#[test]
fn consistency_proofs() {
    let reference = Reference::load();
    let cases = reference.0["consistency"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let (first, second) = (
            case["first"].as_u64().unwrap(),
            case["second"].as_u64().unwrap(),
        );
        let plan = ConsistencyPlan::new(first, second).unwrap();
        let proof = plan.finish(&reference.nodes(plan.nodes())).unwrap();
        assert_eq!(proof, hashes(&case["proof"]));
        let (old, new) = (reference.root(first), reference.root(second));
        assert_eq!(
            verify_consistency(first, second, &old, &new, &proof),
            Ok(())
        );
    }
}
