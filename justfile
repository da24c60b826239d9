# One-liners over cargo and xtask; `just` alone lists them.

default:
    @just --list

# What to run before every commit.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo xtask check-layers
    cargo xtask check-sizes
    cargo xtask endpoints

# All tests of daily work.
test:
    ./test

# Everything that must pass before a merge.
ci:
    .ci/run

# Read and accept or refuse changed snapshots, one by one.
golden:
    cargo insta review

# Write docs/ENDPOINTS.md from the routes.
endpoints:
    cargo xtask endpoints --write

# The server, on loopback, with its data in ./data.
run *arguments:
    cargo run --release --bin sealbook -- serve {{arguments}}

# Kill the server again and again and check what it acknowledged.
crash *arguments:
    cargo xtask crash {{arguments}}

# Run every fuzz target for some seconds; --target and --replay look at one.
fuzz *arguments:
    cargo xtask fuzz {{arguments}}

# Run three servers over one PostgreSQL, break everything in turn and check what they acknowledged.
cluster *arguments:
    cargo xtask cluster {{arguments}}

# Break everything below the server in turn: kills, power, torn writes, damage, full disks, syncs.
faults *arguments:
    cargo xtask faults {{arguments}}
