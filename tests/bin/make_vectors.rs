//! Writes `tests/vectors/*.vec` anew, and the digest of the docs/FORMAT.md that they were made for.

use std::fs;
use std::path::Path;

use bg_recorder::chain::Digest;

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
    let format = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FORMAT.md"))?;
    fs::write(dir.join("FORMAT.sha256"), format!("{}\n", Digest::of(&format)))
}
