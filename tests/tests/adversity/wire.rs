//! What STS is asked when names are odd, and what counts as issued when its answers are lost.

use crate::support::field::{Field, When, told};
use crate::support::wire::Fault;
use crate::support::world::stderr;

#[test]
fn credentials_that_were_issued_to_a_lost_answer_are_denied_whatever_the_next_answer_says() {
    let field = Field::new();
    // The newest rule wins: the first attempt is answered and lost, the second one is refused.
    field.deny("sts:AssumeRole", When::Always);
    field.fault("sts:AssumeRole", When::Once, Fault::ResetAnswer);
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert_eq!((field.issued().len(), field.aws.actions("AssumeRole").len()), (1, 2), "{said}");
    told(&said, "sts:AssumeRole");
    assert!(said.contains("REVOKE PENDING") && said.contains("may live until"), "{said}");
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
    field.settle(&said);
}

#[test]
fn a_policy_that_is_too_large_once_packed_is_told_with_its_cure() {
    let field = Field::new();
    field.fault("sts:AssumeRole", When::Always, Fault::Status(400, "PackedPolicyTooLarge"));
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    told(&said, "sts:AssumeRole");
    assert!(said.contains("hint: make the role's session_policy shorter"), "{said}");
    field.heal();
    assert!(field.lines(&["sessions"]).is_empty(), "{said}");
    field.settle(&said);
}

#[test]
fn a_session_policy_that_cannot_fit_is_refused_before_anybody_is_asked() {
    let field = Field::new();
    let scope = field.site.world.home().join("scope.json");
    let buckets: Vec<String> =
        (0..60).map(|n| format!("\"arn:aws:s3:::a-bucket-with-a-name-{n}/*\"")).collect();
    let text = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Action": "s3:*", "Resource": [{}]}}]}}"#,
        buckets.join(", ")
    );
    std::fs::write(&scope, text).unwrap();
    field.site.configure(|text| {
        text.replace("[roles.drill]", &format!("[roles.drill]\nsession_policy = {scope:?}"))
    });
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    let errors: Vec<&str> =
        said.lines().filter(|line| line.starts_with("bg-shell: error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains("2048 are the most"), "{said}");
    assert!(said.contains("bg-shell: hint: see roles.<name>.session_policy"), "{said}");
    assert!(field.aws.actions("AssumeRole").is_empty());
}

#[test]
fn people_are_told_to_aws_by_their_names_and_who_has_none_that_fits_is_refused() {
    for (person, fits) in [
        ("x".repeat(64), true),
        ("x".repeat(65), false),
        ("alice+ops=1@example.com".into(), true),
        ("a".into(), false),
        ("J\u{f6}rg".into(), false),
        ("ops/alice:1".into(), false),
    ] {
        let field = Field::new();
        sign_as(&field, &person);
        let output = field.open("drill", "true").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.success(), fits, "{person}: {said}");
        if !fits {
            assert_eq!(output.status.code(), Some(125), "{person}");
            assert!(said.contains("a principal has 2 to 64 letters, digits and _+=.@-"), "{said}");
            assert!(said.contains("bg-shell: hint: rename it in allowed_signers"), "{said}");
            assert!(field.aws.requests().is_empty(), "{person}");
            continue;
        }
        let asked = &field.aws.actions("AssumeRole")[0];
        assert_eq!(asked.parameter("SourceIdentity").as_ref(), Some(&person));
        let name = asked.parameter("RoleSessionName").unwrap();
        assert!(name.len() <= 64 && name == format!("bg-{}", field.sessions()[0]), "{name}");
        assert_eq!(field.fact("open").unwrap()["person"], person.as_str());
        field.settle(&said);
    }
}

/// Lists alice's key under another name.
fn sign_as(field: &Field, person: &str) {
    let old = field.site.sandbox.allowed_signers();
    let new = field.site.world.home().join("signers");
    let known = std::fs::read_to_string(&old).unwrap();
    let alice = known.lines().find(|line| line.starts_with("alice")).unwrap();
    let (_, rest) = alice.split_once(' ').unwrap();
    std::fs::write(&new, format!("{person} {rest}\n")).unwrap();
    field.site.configure(|text| text.replace(old.to_str().unwrap(), new.to_str().unwrap()));
}
