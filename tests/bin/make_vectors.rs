//! Writes `tests/vectors/*.vec` anew, the worked example in docs/FORMAT.md, and the digest of that page: vectors
//! are for one text of it.

use std::fs;
use std::path::Path;

use bg_recorder::chain::Digest;
use bg_tests::example;
use bg_tests::vector::Vector;

fn main() -> std::io::Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    for entry in fs::read_dir(&dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "vec") {
            fs::remove_file(path)?;
        }
    }
    for (name, vector) in bg_tests::faults::all(&dir.join("keys")) {
        fs::write(dir.join(format!("{name}.vec")), vector.write())?;
    }
    let page = dir.join("../../docs/FORMAT.md");
    let one = Vector::read(&fs::read_to_string(dir.join("intact_one_segment.vec"))?);
    let format = example::place(&fs::read_to_string(&page)?, &example::render(&one));
    fs::write(&page, &format)?;
    fs::write(dir.join("FORMAT.sha256"), format!("{}\n", Digest::of(format.as_bytes())))
}
