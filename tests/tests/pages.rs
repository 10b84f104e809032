//! The pages of this repository, as far as a test can read them: what they name is there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// What stands between backticks, outside of code blocks.
fn quoted(page: &str) -> Vec<String> {
    let mut fenced = false;
    let prose = page.lines().filter(|line| {
        fenced ^= line.starts_with("```");
        !line.starts_with("    ") && !line.starts_with("```") && !fenced
    });
    let prose = prose.collect::<Vec<_>>().join("\n");
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A name with a slash that begins with something that lies in the root, or that ends as a source file does.
fn is_path(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let Some((first, _)) = name.split_once('/') else { return false };
    let file = [".rs", ".md", ".py", ".toml"].iter().any(|end| name.ends_with(end));
    name.chars().all(plain) && !first.is_empty() && (file || root().join(first).is_dir())
}

#[test]
fn every_path_that_a_page_for_newcomers_names_is_there() {
    for page in ["CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "docs/ARCHITECTURE.md"] {
        let paths: Vec<String> =
            quoted(&read(page)).into_iter().filter(|name| is_path(name)).collect();
        assert!(!paths.is_empty(), "{page}");
        for path in paths {
            assert!(root().join(&path).exists(), "{page} names {path}, which is not there");
        }
    }
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut pages =
        vec!["README.md", "CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "deploy/README.md"];
    pages.extend([
        "docs/ARCHITECTURE.md",
        "docs/THREATS.md",
        "docs/FAULTS.md",
        "docs/DECISIONS.md",
    ]);
    for page in pages {
        let text = read(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (link, _) in links.filter(|(link, _)| !link.contains("://") && !link.starts_with('#')) {
            let from = root().join(page).parent().unwrap().join(link);
            assert!(from.exists(), "{page} links to {link}");
        }
    }
}

#[test]
fn every_limit_that_the_architecture_names_is_a_constant() {
    let constants = quoted(&read("docs/ARCHITECTURE.md"));
    let limits = constants.iter().filter_map(|name| name.split_once("::"));
    let limits: Vec<_> = limits
        .filter(|(_, name)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    assert!(limits.len() > 15, "{limits:?}");
    for (module, name) in limits {
        let says = |path: &Path| {
            let face = path.ends_with(format!("{module}/mod.rs"));
            let stem = path.file_stem().is_some_and(|stem| stem == module);
            (face || stem) && fs::read_to_string(path).unwrap().contains(&format!("const {name}:"))
        };
        assert!(sources().iter().any(|path| says(path)), "there is no {module}::{name}");
    }
}

/// The Rust files of every crate.
fn sources() -> Vec<PathBuf> {
    let dirs = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    dirs.filter(|dir| dir.join("Cargo.toml").exists() && dir.join("src").exists())
        .flat_map(|dir| below(&dir.join("src")))
        .collect()
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Where a test may be: the black-box suite, or a crate's unit tests.
struct Tests {
    /// Each file that has tests, as a path with its text.
    files: Vec<(PathBuf, String)>,
}

impl Tests {
    fn of(dir: &str) -> Self {
        let texts = below(&root().join(dir)).into_iter().map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        });
        Self { files: texts.filter(|(_, text)| text.contains("#[test]")).collect() }
    }

    /// Whether there is such a file or folder with tests, or such a test in it: `file`, `file::`, `folder::file`,
    /// `file::test`.
    fn have(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split("::").filter(|part| !part.is_empty()).collect();
        let (last, rest) = parts.split_last().unwrap();
        let within = |path: &Path, modules: &[&str]| {
            let stems: Vec<_> =
                path.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs")).collect();
            modules.iter().all(|module| stems.contains(module))
        };
        let test = format!("fn {last}()");
        self.files.iter().any(|(path, text)| {
            within(path, &parts) || (!rest.is_empty() && within(path, rest) && text.contains(&test))
        })
    }
}

/// The rows of the fault bench, as its page lists them.
fn fault_rows() -> Vec<String> {
    let page = read("docs/FAULTS.md");
    let table = page.split("\n## ").next().unwrap().to_owned();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_owned()).collect()
}

fn is_fault_row(name: &str) -> bool {
    let rows = fault_rows();
    match name.strip_suffix('*') {
        Some(begins) => rows.iter().any(|row| row.starts_with(begins)),
        None => rows.iter().any(|row| row == name),
    }
}

/// The last cell of each row of a page's tables.
fn last_cells(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    cells.map(str::to_owned).collect()
}

/// What stands behind `Test:` or `Tests:` at the end of each item of a page's lists.
fn proofs(page: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in page.lines() {
        match items.last_mut() {
            Some(item) if line.starts_with("  ") => *item = format!("{item} {}", line.trim()),
            _ => items.push(line.to_owned()),
        }
    }
    let items = items.iter().filter(|item| item.starts_with("- "));
    let proof = |item: &String| {
        Some(item.rsplit_once(" Tests: ").or(item.rsplit_once(" Test: "))?.1.to_owned())
    };
    items.filter_map(proof).collect()
}

/// Which tests these texts name, each with the crate that is said before it.
fn named_tests(texts: &[String]) -> Vec<(String, String)> {
    let mut named = Vec::new();
    for text in texts {
        let mut owner = "tests";
        for (at, part) in text.split('`').enumerate() {
            if at % 2 == 1 {
                named.push((owner.to_owned(), part.to_owned()));
            } else if let Some((before, _)) = part.rsplit_once("'s") {
                owner = before.rsplit(' ').next().unwrap();
            }
        }
    }
    named
}

#[test]
fn every_test_that_the_threats_name_exists() {
    let suite = Tests::of("tests/tests");
    let threats = read("docs/THREATS.md");
    let threats = threats.split("\n## Not caught").next().unwrap().to_owned();
    let proofs = proofs(&threats);
    let threats = threats.lines().filter(|line| line.starts_with("- **")).count();
    assert!(threats > 60 && threats == proofs.len(), "{threats} threats, {} proofs", proofs.len());
    let named = named_tests(&proofs);
    assert!(named.len() > 80, "{}", named.len());
    let mut missing = Vec::new();
    for (owner, name) in named {
        let there = root().join(&name).exists() && name.contains('/')
            || suite.have(&name)
            || is_fault_row(&name)
            || (owner != "tests" && Tests::of(&format!("{owner}/src")).have(&name));
        if !there {
            missing.push(format!("{owner}: {name}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_row_and_test_that_the_faults_name_exists() {
    let page = read("docs/FAULTS.md");
    let failures = page.split("\n## ").find(|part| part.starts_with("Twenty failures")).unwrap();
    let named = named_tests(&last_cells(failures));
    assert!(named.len() > 40, "{}", named.len());
    let suite = Tests::of("tests/tests");
    for (_, name) in named {
        let there = if name.contains("::") { suite.have(&name) } else { is_fault_row(&name) };
        assert!(there, "docs/FAULTS.md names {name}, which is not there");
    }
}
