//! No file stands in a circle with others: each crate can be read, and changed, from its lowest file up.

use std::collections::{BTreeMap, BTreeSet};

use super::rooms::members;
use super::{production, root, sources};

/// Which modules each module names.
type Names = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_files_of_a_crate_name_each_other_in_a_circle() {
    for package in members() {
        let circles = circles(names(&package));
        assert!(circles.is_empty(), "{package}: {circles:#?}");
    }
}

/// Returns what is left of a graph when whoever names nobody, or is named by nobody, is taken away again and again.
fn circles(mut names: Names) -> Names {
    loop {
        let named: BTreeSet<String> = names.values().flatten().cloned().collect();
        let there: BTreeSet<String> = names.keys().cloned().collect();
        let before = names.len();
        names.retain(|module, others| !others.is_disjoint(&there) && named.contains(module));
        if names.len() == before {
            return names;
        }
    }
}

fn names(package: &str) -> Names {
    let src = root().join(package).join("src");
    let mut texts = BTreeMap::new();
    for path in sources(package) {
        let inside = path.strip_prefix(&src).unwrap().with_extension("");
        let module = inside.to_str().unwrap().replace('/', "::");
        texts.insert(module.trim_end_matches("::mod").to_owned(), production(&path));
    }
    let module_of = |path: &str| {
        let mut path = path;
        loop {
            if texts.contains_key(path) {
                return Some(path.to_owned());
            }
            path = path.rsplit_once("::")?.0;
        }
    };
    let named = |module: &str, text: &str| -> BTreeSet<String> {
        let others = paths(text).into_iter().filter_map(|path| module_of(&path));
        others.filter(|other| other != module).collect()
    };
    texts.iter().map(|(module, text)| (module.clone(), named(module, text))).collect()
}

/// Returns every path that a text names from the crate's root, with its groups written out.
fn paths(text: &str) -> Vec<String> {
    let begins =
        |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || "_$".contains(c));
    let starts = text.match_indices("crate::").filter(|(at, _)| begins(&text[..*at]));
    starts.flat_map(|(at, word)| written_out(&text[at + word.len()..]).0).collect()
}

/// Returns the paths at the beginning of a text, and what stands behind them.
fn written_out(text: &str) -> (Vec<String>, &str) {
    let len = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, mut rest) = text.split_at(len);
    if let Some(group) = rest.strip_prefix("::").filter(|_| !word.is_empty()) {
        let (below, rest) = written_out(group);
        return (below.into_iter().map(|path| format!("{word}::{path}")).collect(), rest);
    }
    let Some(mut group) = rest.strip_prefix('{').filter(|_| word.is_empty()) else {
        return (vec![word.to_owned()], rest);
    };
    let mut all = Vec::new();
    while !group.starts_with('}') && !group.is_empty() {
        let (some, behind) = written_out(group.trim_start());
        all.extend(some);
        let behind = behind.trim_start();
        rest = behind.strip_prefix(',').unwrap_or(behind).trim_start();
        // What is no list of names ends here.
        group = if rest.len() < group.len() { rest } else { "" };
    }
    (all, group.strip_prefix('}').unwrap_or(group))
}

#[test]
fn paths_are_written_out() {
    let text = "use crate::{a, b::{c::D, E}};\nuse crate::f::G;\nx(crate::h::i(1), not_crate::j);";
    assert_eq!(paths(text), ["a", "b::c::D", "b::E", "f::G", "h::i"]);
}

#[test]
fn a_circle_is_what_is_left() {
    let of = |pairs: &[(&str, &[&str])]| -> Names {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        pairs.iter().map(|(name, others)| ((*name).to_owned(), owned(others))).collect()
    };
    assert!(circles(of(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])).is_empty());
    let around = circles(of(&[("a", &["b"]), ("b", &["c"]), ("c", &["b", "d"]), ("d", &[])]));
    assert_eq!(around.keys().collect::<Vec<_>>(), ["b", "c"]);
}
