//! Every bound of the engine, with its unit and its reason.

use std::time::Duration;

/// Longest name in Unicode code points, after normalisation (toxme spec, section 2.2).
pub const NAME_CHARS_MAX: usize = 63;
/// Longest bio in Unicode code points, after trimming (toxme spec, section 2.2).
pub const BIO_CHARS_MAX: usize = 1372;
/// Nesting of JSON read from strangers: far above any client's, far below the stack.
pub const JSON_DEPTH_MAX: usize = 64;

/// Most a sealed request's timestamp may differ from our clock, either way (toxme spec, section 6).
pub const TIMESTAMP_WINDOW: Duration = Duration::from_secs(300);
/// How long a replay row outlives its timestamp: the window on both sides and a minute for a clock
/// set back while the server runs.
pub const REPLAY_KEPT: Duration = Duration::from_secs(660);

/// Sealed pushes and form posts an address may make at once, and per hour (toxme spec, section 7).
pub const PUSHES_PER_HOUR: u32 = 13;
/// Look-ups at other domains an address may make at once, and per hour, those answered from memory
/// apart: a household adding its friends stays below it, and nobody makes this server send more than
/// one request a minute to others for long.
pub const REMOTE_LOOKUPS_PER_HOUR: u32 = 60;
/// Addresses remembered by one flood limit. While it is full, those it remembers keep their
/// allowances, and all others share those of 65,536 buckets. 64 bytes each: 20 MiB.
pub const FLOOD_ADDRESSES_MAX: usize = 1 << 18;
/// Edit passwords, right or wrong, that one network may try for one name per
/// [`PASSWORD_GUESS_WINDOW`]: more than an owner mistypes. A network is an IPv4 /24 or an IPv6 /48,
/// what one subscriber or site is given, so that nobody has many for nothing.
pub const PASSWORD_GUESSES_MAX: u32 = 10;
/// Edit passwords that all networks together may try for one name in that time. High, as whoever
/// reaches it keeps the owner out too, and must have 100 networks for it; 8.8 million a year, 2^23.
/// A password of ours is one of 2205^6 = 2^66.6: found in a year with a chance of 2^-43. One that was
/// imported may have 4 syllables, 2205^4 = 2^44.4: a chance of 1 in 2.7 million a year.
pub const PASSWORD_GUESSES_OF_ALL_MAX: u32 = 1000;
/// Window of [`PASSWORD_GUESSES_MAX`] and [`PASSWORD_GUESSES_OF_ALL_MAX`].
pub const PASSWORD_GUESS_WINDOW: Duration = Duration::from_secs(3600);

/// Matches on one page of a search (toxme spec, section 2.6).
pub const SEARCH_PAGE_ROWS: usize = 30;
/// Pages of a search that are shown: to count off the matches before the last of them takes about as
/// long as to look at every name of a large directory.
pub const SEARCH_PAGES_MAX: u64 = 1000;
/// Pieces of the name index, 64 KiB each, that a search looks at before others have their turn: some
/// 20,000 names, a few tenths of a millisecond.
pub const SEARCH_STEP_PIECES: usize = 4;

/// Names on one page of the public list (toxme spec, section 9).
pub const PEOPLE_PAGE_ROWS: usize = 30;

/// Longest time for a name at another domain (toxme spec, section 2.4), whatever it is spent on:
/// somebody else's look-up of the same name, a turn of our own, or the other server.
pub const REMOTE_LOOKUP_TIME: Duration = Duration::from_secs(5);
/// How long a request may be under way before its connection may have to give way to a new one when
/// every place is taken. Longer than an answer takes, of which the longest is the one that waits for
/// another domain, [`REMOTE_LOOKUP_TIME`]: 3 s are left for our own part of it on a busy machine.
pub const BUSY_TIME: Duration = REMOTE_LOOKUP_TIME.saturating_add(Duration::from_secs(3));
/// Answers of other domains kept in memory. At most 700 bytes each: 3 MiB.
pub const REMOTE_ANSWERS_MAX: usize = 1 << 12;
/// How long a found name is kept: what a change at the other domain may take to be seen here.
pub const REMOTE_FOUND_KEPT: Duration = Duration::from_secs(300);
/// How long the absence of a name is kept: somebody may be about to register it.
pub const REMOTE_ABSENT_KEPT: Duration = Duration::from_secs(60);
/// How long a failure is kept, so that a server in trouble is not asked again at once.
pub const REMOTE_FAILED_KEPT: Duration = Duration::from_secs(15);

/// Records of another server taken over in one unit of work: three reads each, so that one round
/// trip reads them all, and six writes, far below the store's 32,768 operations.
pub const IMPORT_RECORDS_MAX: usize = 256;

/// Links or map pages read in one round trip.
pub const READ_KEYS_MAX: usize = 1024;

/// Stored checkpoints in one page: about 50 KB of signed text.
pub const CHECKPOINTS_PAGE_ROWS: u32 = 256;

/// Entries in one sequencer batch, the map head apart: a batch stays far below the store's
/// 32,768 operations, and a reader never waits long for its root.
pub const BATCH_ENTRIES_MAX: usize = 1000;
/// Intents read in one look at the store: a few batches, half a megabyte.
pub const INTENTS_PER_LOOK: u32 = 4000;
/// Entries that wait in memory at most, 2 MB; the rest of a backlog waits in the store.
pub const PENDING_MAX: usize = 16_000;
/// Shortest time between two looks for intents that other processes wrote, however short the merge
/// delay is.
pub const INTENT_LOOK_MIN: Duration = Duration::from_millis(50);
/// Time between two looks for intents whose batch failed with its outcome unknown.
pub const DOUBT_LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How long such intents are looked for: no store applies a batch later than that.
pub const DOUBT: Duration = Duration::from_secs(30);
/// Names, and as many avatars, remembered of whose change nothing is known yet; beyond, the index of
/// them is loaded anew when nothing can come any more.
pub const DOUBTFUL_KEYS_MAX: usize = 1 << 14;
/// Life of a lease. With [`FOLLOWER_LOOK_PERIOD`] a dead leader is replaced within 5 s.
pub const LEASE_LIFE: Duration = Duration::from_secs(3);
/// Age at which an idle leader renews its lease; also the longest it waits for anything else.
pub const LEASE_RENEWED_AFTER: Duration = Duration::from_secs(1);
/// Time between two looks of a follower at the lease.
pub const FOLLOWER_LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Time between two looks for a head that another process has committed.
pub const PUBLISH_PERIOD: Duration = Duration::from_millis(250);

/// Time between two heartbeats of a process.
pub const HEARTBEAT_PERIOD: Duration = Duration::from_secs(2);
/// How long a process counts as alive after its last heartbeat.
pub const PROCESS_LIFE: Duration = Duration::from_secs(10);
/// Rows of processes, or of leases, read at once: far above any number that makes sense.
pub const PROCESSES_MAX: u32 = 1000;
/// Most the machine's clock may differ from the store's without a warning.
pub const CLOCK_DRIFT_MAX: Duration = Duration::from_secs(5);
/// Longest round trip that tells the store's time well enough: it is off by half of it at most.
pub const CLOCK_TRIP_MAX: Duration = Duration::from_millis(500);

/// Shards of the intents, so that no key range is hot on a distributed store.
pub const INTENT_SHARDS: u8 = 16;

/// Conflicts after which a unit of work gives up as busy.
pub const CONFLICTS_MAX: u32 = 16;
/// Longest pause between two tries of a unit of work.
pub const CONFLICT_PAUSE_MAX: Duration = Duration::from_millis(20);
/// Longest look for the outcome of a batch that the store did not answer for: its caller has waited
/// for the whole of a commit by then.
pub const OUTCOME_WAIT: Duration = Duration::from_secs(1);

/// Life of a job's lease: the longest one attempt may take.
pub const JOB_LEASE: Duration = Duration::from_secs(60);
/// First pause after a failed attempt; doubles each time.
pub const JOB_BACKOFF: Duration = Duration::from_secs(5);
/// Attempts after which a job is parked for an operator.
pub const JOB_ATTEMPTS_MAX: u32 = 10;
/// Attempts after which the pause of a job that waits for others grows no more: it is 5 minutes then.
/// Less than [`JOB_ATTEMPTS_MAX`] by some, so that workers may die on such a job.
pub const JOB_WAITS_COUNTED: u32 = 7;
/// Jobs taken in one round. Those of different subjects run side by side: one that waits for others keeps
/// none of them waiting.
pub const JOBS_PER_ROUND: u32 = 16;
/// Links erased in one batch.
pub const ERASE_LINKS_PER_BATCH: u32 = 256;

/// Rows removed in one batch of the sweep.
pub const SWEEP_ROWS: u32 = 1000;
/// Time between two sweeps.
pub const SWEEP_PERIOD: Duration = Duration::from_secs(60);
/// How long no process sweeps after one has come to the end. Less than [`SWEEP_PERIOD`], so that the
/// one that did is back in time; another that just missed it is, when that one is lost, half a
/// minute later.
pub const SWEEP_REST: Duration = Duration::from_secs(30);

/// Names whose newest change the index remembers, twice over, to tell a late effect from a new one:
/// about a second of the highest load. 64 bytes each and the name: some 12 MiB.
pub const APPLIED_NAMES_MAX: usize = 1 << 16;
/// Rows read in one step while the name index loads.
pub const INDEX_LOAD_ROWS: u32 = 4096;
/// Entries of the log that the name index follows in one step: 320 KB of bundles, and at most four
/// round trips of [`READ_KEYS_MAX`] keys for heads and as many for names.
pub const FOLLOW_STEP_ENTRIES: u64 = 4096;
/// Entries behind the log at which the name index is loaded anew instead.
pub const FOLLOW_ENTRIES_MAX: u64 = 1 << 18;
/// How long a released name is kept for the indexes of other processes.
pub const RELEASED_KEPT: Duration = Duration::from_secs(300);
/// Age of an entry from which on its name may be kept no more: half a minute is for clocks that
/// differ and for steps that take long.
pub const RELEASED_SURE: Duration = Duration::from_secs(270);

/// Bytes of rows in one page of a copy: a quarter of the store's largest batch.
pub const PAGE_BYTES: u64 = 4 << 20;
/// Fewest and most rows a page is read with. The most, with the progress row and its check, stays
/// far below the store's 32,768 operations; the fewest bounds what a page of large rows is read
/// with beyond [`PAGE_BYTES`].
pub const PAGE_ROWS_MIN: u32 = 64;
/// See [`PAGE_ROWS_MIN`].
pub const PAGE_ROWS_MAX: u32 = 8192;

/// Longest text of a number from a client, in characters: 64 bits need 20, so there is room for zeros
/// before them, and a million digits are not read.
pub const NUMBER_CHARS_MAX: usize = 64;
/// Longest text of a signature, in bytes: one in base64 has 88, one in base1024 has 208. The rest is room
/// for line breaks, and so that the message about a wrong length can say which.
pub const SIGNATURE_TEXT_BYTES_MAX: usize = 4096;
/// Longest TXT record that is looked at, in bytes: a claim has 254; some domains have keys of 4 KB there.
pub const DNS_TXT_BYTES_MAX: usize = 4096;
/// Longest sign payload that is read, in bytes: an identity of 255 characters, each escaped in six bytes
/// or four long as it is, and 500 bytes around it.
pub const PAYLOAD_BYTES_MAX: usize = 8192;

/// Tags of one ANS-104 item (ANS-104, section 3.1).
pub const ITEM_TAGS_MAX: usize = 128;
/// Bytes of an item's tags, encoded: what bundlers accept. It bounds each name and value as well.
pub const ITEM_TAG_BYTES_MAX: usize = 4096;
/// Bytes of one item that is read or made: a link has 2 to 10 KB with its owner and its signature.
pub const ITEM_BYTES_MAX: usize = 64 << 10;
/// Items of one bundle that is read or made: with [`ITEM_BYTES_MAX`] at most 64 MiB, in practice 3 MB.
pub const BUNDLE_ITEMS_MAX: usize = 1024;

/// Claims that one avatar has at once: far above what people have; with it an avatar's row stays below
/// 200 KiB, and one page of a search below what the largest answer may have.
pub const CLAIMS_PER_AVATAR_MAX: usize = 128;
/// Avatars that claim to be one avatar; also avatars shown as its aliases.
pub const ALIASES_MAX: usize = 64;
/// Rows of avatars read for the aliases of one page.
pub const ALIAS_ROWS_MAX: usize = 1024;
/// Longest name of an account, and longest other name of one, in bytes: as long as a domain may be.
pub const IDENTITY_BYTES_MAX: usize = 255;
/// Longest location of a post, in bytes: as long as any URL that browsers write.
pub const LOCATION_BYTES_MAX: usize = 2048;
/// Longest reason why a claim does not hold, in characters.
pub const REASON_CHARS_MAX: usize = 300;
/// Posts and subkeys an address may send at once, and per hour: a person with every service there is,
/// and a mistake in each. Each may have us ask another server.
pub const CLAIM_POSTS_PER_HOUR: u32 = 120;
/// Drafts an address may ask for at once, and per hour: some services have to be asked for one.
pub const CLAIM_DRAFTS_PER_HOUR: u32 = 600;

/// Matches on one page of claims, and links on one of a chain, at most.
pub const CLAIMS_PAGE_ROWS_MAX: u32 = 100;
/// Links in one answer of the feed of changes (ProofService spec, section 2).
pub const CHANGES_PAGE_ROWS_MAX: u32 = 100;
/// Accounts asked for at once: each is a scan of a table, or a run over all names.
pub const QUERY_IDENTITIES_MAX: usize = 50;
/// Avatars read for an exact search; when more have claimed one account, the index in memory answers.
pub const EXACT_ROWS_MAX: u32 = 256;
/// Avatars read in one step while the index of claims loads, or follows: 100 MiB at the very worst.
pub const CLAIMS_LOAD_ROWS: u32 = 512;

/// Longest time a post of a claim takes, all in all.
pub const POST_TIME: Duration = Duration::from_secs(20);
/// The last part of it, kept for writing the link and for its place in the log.
pub const POST_RESERVE: Duration = Duration::from_secs(5);
/// How long a post is looked for that is not there yet: services take a while to show what was written.
pub const POST_APPEARS: Duration = Duration::from_secs(5);
/// Pause between two looks for it.
pub const POST_LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Longest time of one request to a service (ProofService spec, section 10).
pub const CHECK_REQUEST_TIME: Duration = Duration::from_secs(10);
/// Longest time of one background check: a few requests.
pub const CHECK_TIME: Duration = Duration::from_secs(30);
/// Links whose signatures, numbers and times are tried when a signature does not fit.
pub const LINKS_TRIED: u32 = 5;
/// Signatures of one post for which that is done: recovering a key takes 50 us, and each is tried with
/// some twenty texts.
pub const SIGNATURES_TRIED: usize = 2;

/// Drafts of one avatar that are remembered to explain a signature that does not fit.
pub const DRAFTS_OF_AVATAR_MAX: usize = 4;
/// Avatars whose drafts are remembered. 200 bytes each: 3 MiB.
pub const DRAFTS_REMEMBERED_MAX: usize = 1 << 14;

/// Longest time of one exchange with the archive: less than [`JOB_LEASE`], so that no other worker takes
/// the job meanwhile.
pub const ARCHIVE_TIME: Duration = Duration::from_secs(45);
/// Links that go to the archive in one parcel. Arweave is paid by 256 KiB begun, and 16 links have some
/// 40 KB.
pub const PARCEL_LINKS_MAX: u32 = 16;
/// Bytes of the items in one parcel, which is one row until it is archived; the first may always be in.
pub const PARCEL_BYTES_MAX: usize = 512 << 10;

/// Life of the mark that a claim is being checked: longer than any check.
pub const CHECK_LEASE: Duration = Duration::from_secs(60);
/// Background checks under way at once in one process.
pub const CHECKS_MAX: usize = 16;
/// How long a check that is due may take to be made before the claim is shown as unchecked, or the time
/// between two checks if that is less: at 20 checks a minute of one upstream, 1,200 are made by then.
pub const CHECK_GRACE: Duration = Duration::from_secs(3600);
/// Claims that readers came across and that wait for a check. Beyond, the one that waits longest gives
/// way: it waits until it is due, or read again.
pub const CHECKS_WAITING_MAX: usize = 1024;
/// Claims whose check failed by our own fault, and that are left alone for [`RECHECK_BACKOFF`].
pub const CHECKS_FAILED_MAX: usize = 1024;
/// Rows of what is due read at once.
pub const DUE_ROWS: u32 = 256;
/// Such reads in one look, while nothing of what they find may be asked: 4,096 rows in 5 s, 400 KB.
pub const DUE_PAGES: u32 = 16;
/// Time between two looks for what is due.
pub const DUE_LOOK_PERIOD: Duration = Duration::from_secs(5);
/// Pause after the first check that could not be made; doubles each time, up to the time between two
/// checks.
pub const RECHECK_BACKOFF: Duration = Duration::from_secs(300);
/// How long a web page has to be the answer before it contradicts a claim that held, unless the time
/// between two checks is shorter: more than most sites are down for, and with pauses that double the
/// seventh check in a row.
pub const PAGE_DOUBTED: Duration = Duration::from_secs(5 * 3600);
/// Doublings after which the pause is beyond any time between two checks.
pub const RECHECK_DOUBLINGS_MAX: u32 = 16;
/// Time for which one background check uses an upstream's budget: 20 a minute.
pub const RECHECK_PERIOD: Duration = Duration::from_secs(3);
/// Background checks of one upstream that may come at once.
pub const RECHECK_BURST: u32 = 5;
/// Background checks in a row without an answer, after which an upstream is left alone.
pub const BREAKER_FAILURES: u32 = 5;
/// For how long, the first time; doubles while it does not answer.
pub const BREAKER_TIME: Duration = Duration::from_secs(60);
/// For how long at most.
pub const BREAKER_TIME_MAX: Duration = Duration::from_secs(3600);
/// Time after which somebody who reads an overdue claim may have such an upstream tried all the same.
pub const BREAKER_PROBE: Duration = Duration::from_secs(5);
/// Upstreams remembered: hosts are named by users. 150 bytes each.
pub const UPSTREAMS_MAX: usize = 4096;

/// Subkeys of one avatar.
pub const SUBKEYS_PER_AVATAR_MAX: u32 = 128;
/// Subkeys found by a public key: anybody may bind anybody's key to an avatar.
pub const SUBKEYS_FOUND_MAX: u32 = 256;
/// Longest name, and longest rp_id, of a subkey in bytes.
pub const SUBKEY_TEXT_BYTES_MAX: usize = 255;
