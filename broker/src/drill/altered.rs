//! The configuration with something else in it, for the one session of a drill.

use std::path::Path;

use toml::{Table, Value};

use crate::config::Config;
use crate::failure::Failure;
use crate::world::World;

/// Returns the text of the configuration after a change of `section`.
///
/// # Errors
/// When there is no file, or it has changed meanwhile.
pub fn configuration(world: &World, change: impl FnOnce(&mut Table)) -> Result<String, Failure> {
    let unreadable = || Failure::new("cannot read the configuration again");
    let path = Config::find(world.environment.config.as_deref(), &world.environment)
        .ok_or_else(unreadable)?;
    let text = std::fs::read_to_string(&path).map_err(|e| unreadable().because(e))?;
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| unreadable().because(e))?;
    change(&mut table);
    Ok(document(&table))
}

/// Sets `section.key`, or removes it.
pub fn set(table: &mut Table, section: &str, key: &str, value: Option<&str>) {
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let Some(section) = section.as_table_mut() else { return };
    match value {
        Some(value) => drop(section.insert(key.to_owned(), value.into())),
        None => drop(section.remove(key)),
    }
}

/// Writes a file that only its owner reads.
///
/// # Errors
/// The system's.
pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// TOML in its inline forms: whatever the file looked like, this says the same.
fn document(table: &Table) -> String {
    table.iter().map(|(key, value)| format!("{} = {}\n", quoted(key), inline(value))).collect()
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(is) => is.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(values) => format!("[{}]", join(values.iter().map(inline))),
        Value::Table(table) => {
            let members =
                table.iter().map(|(key, value)| format!("{} = {}", quoted(key), inline(value)));
            format!("{{{}}}", join(members))
        }
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// A JSON string is a TOML basic string, but for DEL.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_it_was() {
        let text = r#"
            [aws]
            profile = "a\"b\u007f\n"
            [roles."x y"]
            quorum = 2
            on = true
            at = 1979-05-27T07:32:00Z
            f = 1.5
            [[notify.webhooks]]
            url = "u"
            [[notify.webhooks]]
            url = "v"
        "#;
        let mut table: Table = text.parse().unwrap();
        let again: Table = document(&table).parse().unwrap();
        assert_eq!(again, table);
        set(&mut table, "aws", "profile", None);
        set(&mut table, "new", "key", Some("value"));
        let changed: Table = document(&table).parse().unwrap();
        assert!(changed["aws"].as_table().unwrap().is_empty());
        assert_eq!(changed["new"]["key"].as_str(), Some("value"));
    }
}
