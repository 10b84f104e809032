//! The rooms of each crate, in the order of the codemap of docs/ARCHITECTURE.md: the page and the test are one list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{none_names, production, root, sources};

/// Which rooms each room names.
type Imports<'c> = BTreeMap<&'c str, BTreeSet<String>>;

#[test]
fn a_room_names_only_rooms_that_stand_below_it_in_the_codemap() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let codemap = codemap(&page);
    let crates: BTreeSet<&str> = codemap.iter().map(|(name, _)| *name).collect();
    assert_eq!(crates, members().iter().map(String::as_str).collect());
    let mut wrong = Vec::new();
    for (package, rooms) in &codemap {
        let imports = imports(package, rooms, &mut wrong);
        println!("{package}");
        for (place, room) in rooms.iter().enumerate() {
            let named = &imports[room];
            println!(
                "  {room}: {}",
                named.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            );
            let above = |other: &&String| rooms.iter().position(|one| one == other) < Some(place);
            let uphill = named.iter().filter(above);
            wrong
                .extend(uphill.map(|other| {
                    format!("{package}: {room} names {other}, which stands above it")
                }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_crate_names_only_crates_that_stand_below_it_in_the_codemap() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let mut above: Vec<String> = Vec::new();
    for (package, _) in codemap(&page) {
        let words: Vec<&str> = above.iter().map(String::as_str).collect();
        none_names(sources(package), &words);
        above.push(format!("bg_{package}::"));
    }
    assert!(above.len() > 3, "{above:?}");
}

/// Who knows what happened is asked by more than a terminal: by a service, by tests. Only the top tells a person.
#[test]
fn no_room_below_a_session_prints() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let map = codemap(&page);
    let (_, rooms) = map.iter().find(|(name, _)| *name == "broker").unwrap();
    let below: Vec<&str> =
        rooms.iter().copied().skip_while(|room| *room != "session").skip(1).collect();
    let src = root().join("broker/src");
    let files = sources("broker").into_iter().filter(|path| {
        let inside = path.strip_prefix(&src).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        // Where a session has no screen, its terminal tells what the relay has for the person.
        below.contains(&room) && inside != Path::new("os/terminal.rs")
    });
    none_names(files, &["say::", "say!(", "BG_SHELL."]);
}

/// Reads the lists below `## Codemap`: a crate a heading, a room an item, from the top down.
fn codemap(page: &str) -> Vec<(&str, Vec<&str>)> {
    let map = page.split("\n## ").find(|part| part.starts_with("Codemap\n")).unwrap();
    let crates = map.split("\n### `").skip(1);
    crates
        .map(|part| {
            let (name, rest) = part.split_once('`').unwrap();
            let rooms = rest.lines().filter_map(|line| line.strip_prefix("- `")?.split_once('`'));
            (name, rooms.map(|(room, _)| room).collect::<Vec<_>>())
        })
        .filter(|(_, rooms)| !rooms.is_empty())
        .collect()
}

/// Returns the members of the workspace but for the tests, which may name everything.
pub fn members() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, list) = manifest.split_once("\nmembers = [").unwrap();
    let (list, _) = list.split_once("\n]").unwrap();
    let names = list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once('"'));
    names.map(|(name, _)| name.to_owned()).filter(|name| name != "tests").collect()
}

fn imports<'c>(package: &str, rooms: &[&'c str], wrong: &mut Vec<String>) -> Imports<'c> {
    let mut imports: Imports = rooms.iter().map(|room| (*room, BTreeSet::new())).collect();
    let src = root().join(package).join("src");
    let mut there = BTreeSet::new();
    for path in sources(package) {
        let inside = path.strip_prefix(&src).unwrap();
        let parts: Vec<&str> = inside.iter().map(|part| part.to_str().unwrap()).collect();
        let room = parts[0].trim_end_matches(".rs");
        there.insert(room.to_owned());
        let Some(named) = imports.get_mut(room) else {
            wrong.push(format!("{package}: {room} has no place in the codemap"));
            continue;
        };
        let found = named_rooms(&production(&path), depth(&parts));
        // A short name of the crate's face is no room: whoever is inside uses the long one.
        named.extend(found.into_iter().filter(|other| other != room));
    }
    wrong.extend(
        rooms
            .iter()
            .filter(|room| !there.contains(**room))
            .map(|room| format!("{package}: there is no {room}")),
    );
    for other in imports.values().flatten() {
        if !rooms.contains(&other.as_str()) {
            wrong.push(format!("{package}: {other} is named and has no place in the codemap"));
        }
    }
    imports
}

/// How many `super::` lead from a module to its crate.
fn depth(parts: &[&str]) -> usize {
    parts.len() - usize::from(parts.last() == Some(&"mod.rs"))
}

/// The rooms that a text names: `crate::room`, the first level of `crate::{room, room::thing}`, and `super::room` where
/// that leads as far.
fn named_rooms(text: &str, depth: usize) -> Vec<String> {
    let up = "super::".repeat(depth);
    let absolute = text.match_indices("crate::").map(|(at, word)| (at, word.len()));
    let relative = text.match_indices(&up).map(|(at, word)| (at, word.len()));
    let begins =
        |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
    let starts = absolute.chain(relative).filter(|(at, _)| begins(&text[..*at]));
    starts.flat_map(|(at, len)| first_level(&text[at + len..])).collect()
}

fn first_level(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else { return word(rest).into_iter().collect() };
    let mut named = Vec::new();
    let mut depth = 0;
    let mut item = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                named.extend(word(group[item..at].trim_start()));
                item = at + 1;
            }
            _ => {}
        }
        if c == '}' && depth == 0 && item == at + 1 {
            break;
        }
    }
    named
}

/// A type or a macro of the crate's root is no room.
fn word(text: &str) -> Option<String> {
    let word: String =
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let rest = &text[word.len()..];
    (word.starts_with(|c: char| c.is_ascii_lowercase()) && !rest.starts_with('!')).then_some(word)
}

#[test]
fn rooms_are_found_in_every_way_of_naming_them() {
    let text = "use crate::{a, b::{c, D}, E};\nuse crate::f::G;\nx(crate::h::i); crate::say!(); \
        use super::super::j; pub(crate) use k::l; use super::m; use own_crate::n;";
    assert_eq!(named_rooms(text, 2), ["a", "b", "f", "h", "j"]);
}

#[test]
fn the_codemap_is_read_from_the_top_down() {
    let page = "# T\n\n## Codemap\n\n### `tests`\n\nAll.\n\n### `one`\n\nText.\n\n- `b`: x,\n  `y`.\n- `a`: z.\n\n## Next\n\n- `c`: no.\n";
    assert_eq!(codemap(page), [("one", vec!["b", "a"])]);
}
