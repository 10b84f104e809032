//! A place where `/` is no mount point, as chroot(2) and some containers make it.

use std::process::{Command, Output};

use crate::support::resident::Resident;
use crate::support::world::{World, stderr};

#[test]
fn sessions_begin_and_end_where_the_root_is_no_mount_point() {
    for by in ["subreaper", "namespace"] {
        let world = World::new();
        world.contain(by);
        let shell = world.shell();
        let Some(output) = below_a_bare_root(&world, &shell, "exit 3") else { return };
        assert_eq!(output.status.code(), Some(3), "{by}: {}", stderr(&output));
        let tape = world.tape();
        tape.assert_intact();
        assert!(tape.note("genesis")["about"]["containment"].as_str().unwrap().ends_with(by));
        assert_eq!(world.processes(), []);
    }
}

#[test]
fn an_ordinary_user_is_told_there_what_cannot_be_had() {
    let world = World::new();
    let Some(resident) = Resident::of(&world) else { return };
    let shell = resident.shell(&world);
    resident.moves_in(&world);
    let shell = resident.command(&world, shell.to_str().unwrap());
    let Some(output) = below_a_bare_root(&world, &shell, "exit 3") else { return };
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    world.tape().assert_intact();
    world.contain("namespace");
    resident.moves_in(&world);
    // The kernel makes no user namespace below chroot(2).
    let output = below_a_bare_root(&world, &shell, "touch ran").unwrap();
    let said = stderr(&output);
    assert!(said.contains("by a namespace: unshare(2): Operation not permitted"), "{said}");
    assert!(!world.home().join("ran").exists());
}

/// Records a script where each entry of `/` is a link into a mount of it. None, with a word, where that cannot be made.
fn below_a_bare_root(world: &World, shell: &Command, script: &str) -> Option<Output> {
    if !rustix::process::getuid().is_root() {
        println!("skipped: chroot(2) needs root");
        return None;
    }
    let mut bare = world.command("unshare");
    bare.args(["--mount", "sh", "-c", BARE]).arg(shell.get_program()).args(shell.get_args());
    bare.args(["open", "--", "sh", "-c", script]);
    bare.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(bare.output().unwrap())
}

const BARE: &str = r#"root=$(mktemp -d) && chmod 755 $root && mkdir $root/all && mount --rbind / $root/all || exit 99
for entry in /*; do ln -s all$entry $root$entry; done
here=$PWD
chroot $root sh -c 'cd "$0" && exec "$@"' "$here" "$0" "$@"
status=$?
umount -l $root/all && find $root -maxdepth 1 -type l -delete && rmdir $root/all $root
exit $status"#;
