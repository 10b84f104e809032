//! Many brokers and one approved request.

use std::process::Stdio;

use crate::support::field::Field;
use crate::support::sandbox::Sandbox;
use crate::support::world::stderr;

#[test]
fn of_twenty_brokers_with_one_request_one_opens_it_and_the_others_say_why_not() {
    let field = Field::new();
    let request = approved(&field);
    let open = || {
        let mut shell = field.site.shell();
        shell.args(["open", "--role", "two", "--request", &request, "--key"]);
        shell.arg(field.site.sandbox.key("alice"));
        shell.args(["--", "sh", "-c", "echo inside"]);
        shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let brokers: Vec<_> = (0..BROKERS).map(|_| open()).collect();
    let ended: Vec<_> =
        brokers.into_iter().map(|broker| broker.wait_with_output().unwrap()).collect();
    let (won, lost): (Vec<_>, Vec<_>) = ended.iter().partition(|output| output.status.success());
    assert_eq!(won.len(), 1, "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&won[0].stdout).trim(), "inside");
    for output in lost {
        let said = stderr(output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(125), 0), "{said}");
        let errors: Vec<&str> =
            said.lines().filter(|line| line.starts_with("bg-shell: error: ")).collect();
        assert_eq!(errors.len(), 1, "{said}");
        assert!(errors[0].contains(&request) && errors[0].contains("claimed"), "{said}");
        assert!(said.contains("bg-shell: hint: "), "{said}");
    }
    assert_eq!(field.aws.actions("AssumeRole").len(), 1, "nobody else asked for the role");
    assert_eq!(field.issued().len(), 1);
    assert_eq!(field.sessions().len(), 1, "{:?}", field.sessions());
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
    field.settle("");
}

/// Has alice ask, and bob and carol approve; returns the request.
fn approved(field: &Field) -> String {
    let run = |args: &[&str], person: &str| {
        let mut shell = field.site.shell();
        let output =
            shell.args(args).arg("--key").arg(Sandbox::shared().key(person)).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let request = run(&["request", "--role", "two", "--reason", "a test"], "alice");
    run(&["approve", &request, "--yes"], "bob");
    run(&["approve", &request, "--yes"], "carol");
    request
}

const BROKERS: usize = 20;
