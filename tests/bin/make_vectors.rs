//! Writes `tests/vectors/*.vec` anew, the worked example in docs/FORMAT.md, and the digest of that page: vectors
//! are for one text of it. With names behind it, only those vectors are made anew.

use std::fs;
use std::path::Path;

use bg_recorder::chain::Digest;
use bg_tests::example;
use bg_tests::vector::Vector;

fn main() -> std::io::Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let only: Vec<String> = std::env::args().skip(1).collect();
    let made = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    for entry in fs::read_dir(&dir)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "vec") && made(name) {
            fs::remove_file(path)?;
        }
    }
    for (name, vector) in bg_tests::faults::all(&dir.join("keys")) {
        if made(name) {
            fs::write(dir.join(format!("{name}.vec")), vector.write())?;
        }
    }
    let page = dir.join("../../docs/FORMAT.md");
    let one = Vector::read(&fs::read_to_string(dir.join("intact_one_segment.vec"))?);
    let format = example::place(&fs::read_to_string(&page)?, &example::render(&one));
    fs::write(&page, &format)?;
    fs::write(dir.join("FORMAT.sha256"), format!("{}\n", Digest::of(format.as_bytes())))
}
