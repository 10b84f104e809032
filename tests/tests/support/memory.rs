//! An evidence store in memory: the real thing minus the disk.

use std::collections::BTreeMap;
use std::path::Path;

use bg_recorder::keys::local::LocalOpener;
use bg_recorder::keys::pem::read_signing_public;
use bg_recorder::reader::{Given, ReadError, Reader};
use bg_recorder::sign::SigningPublic;
use bg_recorder::store::{Listed, ObjectStore, StoreError};
use bg_recorder::tape::Tape;
use bg_recorder::verdict::Report;
use bg_recorder::verify::verify;
use bg_tests::vector::{Objects, Vector};

/// One tape in memory.
pub struct Memory {
    /// The objects, to be changed at will.
    pub objects: Objects,
    session: String,
    trusted: Vec<SigningPublic>,
}

impl Memory {
    /// Takes a vector's objects.
    pub fn of(vector: &Vector) -> Self {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/keys");
        Self::new(&vector.session, vector.objects.clone(), &keys)
    }

    /// Takes objects that were signed with the key of a directory.
    pub fn new(session: &str, objects: Objects, keys: &Path) -> Self {
        let trusted = vec![read_signing_public(&keys.join("sign.pub.pem")).unwrap()];
        Self { objects, session: session.to_owned(), trusted }
    }

    /// Verifies as of `now_us`.
    pub fn verify(&self, now_us: u64) -> Report {
        self.verify_with(&self.trusted, now_us)
    }

    /// Verifies against other keys.
    pub fn verify_with(&self, trusted: &[SigningPublic], now_us: u64) -> Report {
        verify(&self.tape(), trusted, now_us)
    }

    /// Verifies, then opens; returns the asciicast.
    pub fn open(&self, key: &Path, now_us: u64) -> Result<Vec<u8>, ReadError> {
        let tape = self.tape();
        let opener = LocalOpener::from_file(key).unwrap();
        let mut reader = Reader::begin(&tape, &self.verify(now_us), &opener)?;
        let mut cast = Vec::new();
        while let Some(plain) = reader.frame()? {
            cast.extend(plain);
        }
        if cast.is_empty() { Err(ReadError::Empty) } else { Ok(cast) }
    }

    /// Verifies as of `now_us`, where one object cannot be read.
    pub fn verify_without(&self, name: &str, now_us: u64) -> Report {
        let dim = Dim { memory: self, name };
        let tape = Tape::list(&dim, "", Some(self.session.parse().unwrap())).unwrap();
        verify(&tape, &self.trusted, now_us)
    }

    /// Reads what is good of a broken tape; returns what it gives.
    pub fn good(&self, key: &Path, now_us: u64) -> Vec<Given> {
        let tape = self.tape();
        let opener = LocalOpener::from_file(key).unwrap();
        let mut reader = Reader::begin(&tape, &self.verify(now_us), &opener).unwrap();
        std::iter::from_fn(|| reader.given().unwrap()).collect()
    }

    fn tape(&self) -> Tape<'_> {
        Tape::list(self, "", Some(self.session.parse().unwrap())).unwrap()
    }
}

/// The store, minus the right to read one object.
struct Dim<'a> {
    memory: &'a Memory,
    name: &'a str,
}

impl ObjectStore for Dim<'_> {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.memory.put_new(key, bytes)
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        if key == self.name {
            let source = std::io::ErrorKind::PermissionDenied.into();
            return Err(StoreError::Failed { verb: "read", key: key.to_owned(), source });
        }
        self.memory.get(key, max)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.memory.list(prefix)
    }
}

impl ObjectStore for Memory {
    fn put_new(&self, key: &str, _: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::Exists(key.to_owned()))
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        match self.objects.get(key) {
            None => Err(StoreError::Missing(key.to_owned())),
            Some(bytes) if bytes.len() as u64 > max => Err(StoreError::TooLarge(key.to_owned())),
            Some(bytes) => Ok(bytes.clone()),
        }
    }

    fn list(&self, _: &str) -> Result<Vec<Listed>, StoreError> {
        let entry = |(key, bytes): (&String, &Vec<u8>)| Listed {
            key: key.clone(),
            len: bytes.len() as u64,
            object: true,
        };
        Ok(self.objects.iter().map(entry).collect())
    }
}

/// Reads the objects of a recorded tape.
pub fn objects_of(dir: &Path) -> Objects {
    let store = bg_recorder::dir::DirStore::new(dir);
    let names = store.list("").unwrap();
    names
        .into_iter()
        .map(|entry| (entry.key.clone(), store.get(&entry.key, u64::MAX).unwrap()))
        .collect::<BTreeMap<_, _>>()
}
