//! `bg-shell drill`: the whole procedure, with a scripted responder, and with something broken on the way.

use std::process::Output;

use serde_json::Value;

use crate::support::process;
use crate::support::sandbox::{Sandbox, Site};
use crate::support::world::{World, stderr};

#[test]
fn a_drill_goes_the_whole_way_and_is_measured() {
    let site = Sandbox::shared().site();
    let report = drilled(&site, &[], 0);
    let steps: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    let expected = [
        "circumstances",
        "request",
        "open",
        "access",
        "commands",
        "exit",
        "revoked",
        "report",
        "copy",
        "tape",
        "time to access",
        "time to revoke",
    ];
    assert_eq!(steps, expected);
    assert!(
        report["time_to_access_ms"].as_u64().unwrap() > 0
            && report["time_to_revoke_ms"].as_u64().unwrap() > 0
    );
    assert_eq!(report["past"]["drills"], 0);
    let again = drilled(&site, &[], 0);
    assert_eq!((&again["past"]["drills"], &again["past"]["passed"]), (&1.into(), &1.into()));
    assert_eq!(again["past"]["to_access"]["p50_ms"], report["time_to_access_ms"]);
    assert_eq!(site.evidence().iter().filter(|key| key.starts_with("drills/")).count(), 2);
}

#[test]
fn a_killed_recorder_leaves_a_recovered_tape_and_no_access() {
    passes_with("recorder-kill", &["kill", "processes", "recover", "denied", "copy", "tape"]);
}

#[test]
fn a_store_that_goes_away_loses_nothing() {
    passes_with(
        "store-down",
        &["cut", "exit", "spool", "recover", "reconcile", "denied", "copy", "tape"],
    );
}

#[test]
fn an_access_that_cannot_be_denied_is_called_pending_and_denied_later() {
    passes_with("iam-down", &["exit", "pending", "reconcile", "denied", "copy", "tape"]);
}

#[test]
fn credentials_that_got_out_are_ended_and_a_key_that_was_shown_is_reported() {
    passes_with("leaked-key", &["revoke", "end", "revoked", "exposed", "copy", "tape"]);
}

#[test]
fn no_session_begins_with_a_wrong_clock() {
    let report = passes_with("clock-skew", &["refused"]);
    assert!(report["drilled_session"].is_null(), "{report}");
}

#[test]
fn a_drill_that_is_too_slow_fails() {
    let site = Sandbox::shared().site();
    site.configure(|text| {
        text.replace("role = \"drill\"", "role = \"drill\"\ntime_to_access_max = \"1ms\"")
    });
    let report = drilled(&site, &[], 1);
    let failed: Vec<&Value> =
        report["steps"].as_array().unwrap().iter().filter(|step| step["passed"] == false).collect();
    assert_eq!(failed.len(), 1, "{report:#}");
    assert_eq!(failed[0]["step"], "time to access");
}

#[test]
fn a_command_that_fails_fails_the_drill() {
    let site = Sandbox::shared().site();
    let report = drilled(&site, &["--", "false"], 1);
    assert!(report["steps"].to_string().contains("the last one ended with 1"), "{report:#}");
    let left = process::with_environment(&format!("HOME={}", site.world.home().display()));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_tool_of_the_session_finds_its_credentials() {
    let site = Sandbox::shared().site();
    drilled(&site, &["--", "aws", "s3", "ls", "s3://bg-sandbox/runbook.txt"], 0);
}

#[test]
fn approvals_are_part_of_a_drill_where_the_role_needs_them() {
    let site = Sandbox::shared().site();
    let bob = site.sandbox.key("bob");
    let carol = site.sandbox.key("carol");
    let keys = [("--approver-key", &bob), ("--approver-key", &carol)];
    let args: Vec<&str> =
        keys.iter().flat_map(|(flag, path)| [*flag, path.to_str().unwrap()]).collect();
    let report = drilled(&site, &[&["--role", "two"], &args[..]].concat(), 0);
    let approved =
        report["steps"].as_array().unwrap().iter().filter(|step| step["step"] == "approve").count();
    assert_eq!(approved, 2, "{report:#}");
}

#[test]
fn what_cannot_be_played_is_said_before_anything_happens() {
    let site = Sandbox::shared().site();
    for (args, why) in [
        (&["--role", "prod"][..], "needs 1 approvals"),
        (&["--role", "nobody"], "there is no role"),
        (&["--role", "practice", "--fault", "leaked-key"], "the practice world has no account"),
        (&["--role", "attach", "--fault", "iam-down"], "approvals"),
    ] {
        let output = run(&site, args);
        assert_eq!(output.status.code(), Some(125), "{args:?}");
        assert!(stderr(&output).contains(why), "{args:?}: {}", stderr(&output));
    }
    assert_eq!(site.evidence().len(), 0, "{:?}", site.evidence());
}

#[test]
fn the_practice_world_is_drilled_too() {
    let world = World::new();
    for args in [&["drill"][..], &["drill", "--fault", "recorder-kill"]] {
        let output = world.shell().args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", stderr(&output));
        assert!(text.ends_with("the drill passed\n"), "{text}");
    }
    assert_eq!(world.processes(), []);
}

fn passes_with(fault: &str, steps: &[&str]) -> Value {
    let site = Sandbox::shared().site();
    let report = drilled(&site, &["--fault", fault], 0);
    let taken: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    let mut taken = taken.into_iter();
    for step in steps {
        assert!(taken.any(|found| found == *step), "{fault}: no {step}: {report:#}");
    }
    let left = process::with_environment(&format!("HOME={}", site.world.home().display()));
    assert!(left.is_empty(), "{left:?}");
    report
}

fn drilled(site: &Site, args: &[&str], code: i32) -> Value {
    let output = run(
        site,
        &[&["--json", "--key", site.sandbox.key("alice").to_str().unwrap()], args].concat(),
    );
    let said = stderr(&output);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!(output.status.code(), Some(code), "{report:#}\n{said}");
    report
}

fn run(site: &Site, args: &[&str]) -> Output {
    site.shell().arg("drill").args(args).output().unwrap()
}
