//! Twenty failures that products of this field really had, and what covers each here.

/// A failure, and the rows (by name) and tests (`file::function`) that cover it.
pub struct Failure {
    /// What happened, and to whom.
    pub what: &'static str,
    /// What covers it.
    pub covered_by: &'static [&'static str],
}

/// All of them, in their usual order.
pub const FAILURES: &[Failure] = &[
    Failure {
        what: "configured to sign, never did (the-bastion CVE-2025-59339)",
        covered_by: &["kms-403-end", "agreement::"],
    },
    Failure {
        what: "a good recording overwritten or hidden by an empty upload (teleport#60860, #45917)",
        covered_by: &[
            "bucket::of_twenty_racing_puts_one_wins",
            "bucket::a_bucket_behaves_as_a_directory_does",
        ],
    },
    Failure {
        what: "a failed part dropped, the upload \"complete\", the local copy deleted (Warpgate)",
        covered_by: &["store-swallow", "store-reset-upload", "store-truncate"],
    },
    Failure {
        what: "an error of a transformation ignored, the original removed (koko)",
        covered_by: &[
            "store-500",
            "crash::a_spool_that_cannot_be_recovered_stops_neither_the_others_nor_the_next_session",
        ],
    },
    Failure {
        what: "disk full: locked out, or unrecorded (ssm-agent#170, teleport#5424)",
        covered_by: &["disk-full-start", "disk-full-frame", "disk-full-seal"],
    },
    Failure {
        what: "a flood fills quota or memory (teleport#29858, tlog#171)",
        covered_by: &["flood", "black-hole-10-min"],
    },
    Failure {
        what: "a slow sink: events dropped for 30 s, and a line in a log (Teleport)",
        covered_by: &["store-slow", "store-black-hole", "black-hole-10-min"],
    },
    Failure {
        what: "the recorder killed: nothing left (ssm-agent#153)",
        covered_by: &[
            "kill-recorder",
            "oom-recorder",
            "campaign::a_kill_at_any_moment_loses_nothing_and_leaves_nothing",
        ],
    },
    Failure {
        what: "a short session never appears (teleport#11599)",
        covered_by: &[
            "many-starts",
            "campaign::a_kill_at_any_moment_loses_nothing_and_leaves_nothing",
        ],
    },
    Failure {
        what: "a corrupt file retried for a year, blocking the others (teleport#60981, #61538)",
        covered_by: &[
            "crash::a_spool_that_cannot_be_recovered_stops_neither_the_others_nor_the_next_session",
        ],
    },
    Failure { what: "one event of 20 MB (teleport#64344)", covered_by: &["one-write-of-20-mb"] },
    Failure {
        what: "bytes that are no UTF-8, split characters, zmodem (asciinema, player#94)",
        covered_by: &["disk-full-frame", "bytes::"],
    },
    Failure {
        what: "a second channel, or nesting, corrupts (boundary#5004)",
        covered_by: &["nested::", "many-starts"],
    },
    Failure {
        what: "file descriptors, inodes or part counts run out (teleport#10660)",
        covered_by: &["no-descriptors-start", "no-descriptors", "segments-10000"],
    },
    Failure {
        what: "1.7 GB of memory to replay 200 MB (teleport#10579)",
        covered_by: &["flood", "black-hole-10-min"],
    },
    Failure {
        what: "idle gaps freeze, speed 0 hangs (teleport#38560, sudoreplay)",
        covered_by: &["idle-8-h", "replay::"],
    },
    Failure { what: "passwords recorded (warpgate#2536)", covered_by: &["secrets::"] },
    Failure { what: "clock steps (koko, deltas of asciicast v3)", covered_by: &["clock-steps"] },
    Failure {
        what: "escape sequences and path traversal out of recorded data (sudo 1.9.18)",
        covered_by: &["bucket::a_bucket_behaves_as_a_directory_does", "vectors::"],
    },
    Failure {
        what: "races of the control plane: an observer terminates, a session resumes after its end (teleport#25667, #65398)",
        covered_by: &[
            "crash::recoveries_at_the_same_time_do_no_harm",
            "crash::a_running_session_is_left_alone_by_a_recovery",
            "revoke::",
        ],
    },
];
