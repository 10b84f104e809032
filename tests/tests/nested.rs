//! A session inside a session.

use crate::support::world::{World, stderr};

#[test]
fn a_session_inside_a_session_is_refused() {
    let world = World::new();
    let output = world.record(&format!("{SHELL} open -- touch $HOME/ran; echo inner=$?"));
    let text = String::from_utf8(output.stdout).unwrap();
    let outer = world.tape();
    assert!(text.contains(&format!("already recorded, as session {}", outer.id())), "{text}");
    assert!(text.contains("--nested") && text.ends_with("inner=125\n"), "{text}");
    assert!(!world.home().join("ran").exists());
}

#[test]
fn a_session_may_be_nested_knowingly_and_names_the_outer_one() {
    let world = World::new();
    let output = world.record(&format!(
        "{SHELL} open --nested -- sh -c 'printf \"<%s>\" $BG_SHELL_SESSION; exit 9'; echo inner=$?"
    ));
    let text = String::from_utf8_lossy(&output.stdout);
    let [outer, inner] = &world.tapes()[..] else { panic!("{:?}", world.tapes()) };
    assert_eq!(inner.note("genesis")["about"]["parent"], outer.id(), "{}", stderr(&output));
    assert_eq!(outer.note("genesis")["about"]["parent"], serde_json::Value::Null);
    assert!(text.contains(&format!("<{}>", inner.id())) && text.ends_with("inner=9\n"), "{text}");
    outer.assert_intact();
    inner.assert_intact();
    assert_eq!(inner.note("genesis")["host"]["seq"], 2);
}

const SHELL: &str = env!("CARGO_BIN_EXE_shell-under-test");
