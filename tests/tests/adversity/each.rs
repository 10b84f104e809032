//! Each single call of a session, refused in its turn: alone, and with all that come after it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::field::Field;
use crate::support::wire::{Fault, Wire};
use crate::support::world::stderr;

/// `BG_TESTS_CALLS=all` refuses every call; the suite takes a few, others each time.
#[test]
fn whichever_call_is_refused_nothing_is_left_alive_and_unsaid() {
    let calm = Field::new();
    let output = calm.open("attach", "true").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let aws = calm.aws.requests().len();
    let s3 = calm.s3.requests().len();
    let all = std::env::var("BG_TESTS_CALLS").is_ok_and(|calls| calls == "all");
    let few =
        usize::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let picked =
        (0..aws + s3).rev().filter(|call| all || (call + few).is_multiple_of((aws + s3) / FEW));
    for call in picked {
        let from_then_on = (call + few).is_multiple_of(2);
        refuse(call, aws, if all { &[false, true] } else { std::slice::from_ref(&from_then_on) });
    }
}

fn refuse(call: usize, aws: usize, ways: &[bool]) {
    for from_then_on in ways.iter().copied() {
        let field = Field::new();
        let (wire, number): (&Wire, usize) =
            if call < aws { (&field.aws, call) } else { (&field.s3, call - aws) };
        let is = move |it: usize| it == number || (from_then_on && it > number);
        wire.fault(move |request| is(request.number), Fault::Status(403, "AccessDenied"));
        let output = field.open("attach", "true").output().unwrap();
        let said = stderr(&output);
        println!("call {call} of {aws} and others, from then on: {from_then_on}\n{said}");
        assert!(matches!(output.status.code(), Some(0 | 125)), "{said}");
        let failed = output.status.code() == Some(125);
        let errors = said.lines().filter(|line| line.starts_with("bg-shell: error: ")).count();
        assert!(!failed || errors > 0, "{said}");
        field.settle(&said);
    }
}

/// How many calls the suite refuses, about.
const FEW: usize = 3;
