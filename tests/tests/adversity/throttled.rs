//! AWS asks for fewer calls: once, and for ever.

use crate::support::field::{Field, When, told};
use crate::support::wire::Fault;
use crate::support::world::stderr;

/// How each service asks for it.
const ASKS: &[(&str, u16, &str)] = &[
    ("kms:GetPublicKey", 400, "ThrottlingException"),
    ("kms:GenerateDataKey", 400, "ThrottlingException"),
    ("kms:Sign", 400, "ThrottlingException"),
    ("s3:PutObject", 503, "SlowDown"),
    ("s3:GetObject", 503, "SlowDown"),
    ("s3:ListBucket", 429, "TooManyRequestsException"),
    ("sts:AssumeRole", 400, "Throttling"),
    ("iam:PutRolePolicy", 400, "Throttling"),
    ("sns:Publish", 429, "TooManyRequestsException"),
];

#[test]
fn a_service_that_asks_once_for_fewer_calls_gets_them_and_nobody_notices() {
    let field = Field::new();
    for (call, status, code) in ASKS {
        field.fault(call, When::Once, Fault::Status(*status, code));
    }
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("access revoked and proved in"), "{said}");
    assert!(!said.contains("error") && !said.contains("Throttl"), "{said}");
    let refused = |requests: Vec<crate::support::wire::Request>| {
        requests.iter().filter(|request| [400, 429, 503].contains(&request.status)).count()
    };
    assert!(
        refused(field.aws.requests()) + refused(field.s3.requests()) >= ASKS.len(),
        "each was tried again"
    );
    field.settle(&said);
}

#[test]
fn a_service_that_asks_for_ever_is_an_error_in_one_line() {
    let rows = [ASKS[0], ASKS[2], ASKS[3], ASKS[5], ASKS[6]];
    for (call, status, code) in rows {
        let field = Field::new();
        field.fault(call, When::Always, Fault::Status(status, code));
        let output = field.open("drill", "echo here").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{call}: {said}");
        assert!(
            told(&said, call).contains(code) && said.contains("AWS asks for fewer calls"),
            "{said}"
        );
        assert!(!field.ran() && field.issued().is_empty(), "{call}: {said}");
        field.settle(&said);
    }
}
