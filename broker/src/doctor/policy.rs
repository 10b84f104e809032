//! An IAM policy document, as far as it must be understood to judge it. What is not understood counts as the worse.

use serde_json::{Map, Value};

/// A policy.
#[derive(Debug, Clone, Default)]
pub struct Document {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone)]
pub struct Statement {
    allows: bool,
    /// ARNs, account ids, `*`; a service as `service:<name>`.
    pub principals: Vec<String>,
    actions: Patterns,
    resources: Patterns,
    conditions: Map<String, Value>,
}

/// Why there is no policy to judge.
#[derive(Debug, thiserror::Error)]
pub enum NotAPolicy {
    /// It was not seen.
    #[error("{0}")]
    Unseen(String),
    /// It is no JSON.
    #[error("not a policy: {0}")]
    NoJson(serde_json::Error),
    /// It says nothing.
    #[error("not a policy: it has no Statement")]
    NoStatement,
}

/// What matches: these, or everything but these.
#[derive(Debug, Clone)]
enum Patterns {
    These(Vec<String>),
    AllBut(Vec<String>),
}

impl Document {
    /// Reads JSON, percent-encoded or not, as IAM and KMS give it.
    ///
    /// # Errors
    /// When it is no policy.
    pub fn parse(text: &str) -> Result<Self, NotAPolicy> {
        let text = if text.trim_start().starts_with('{') {
            text.to_owned()
        } else {
            percent_decoded(text)
        };
        let mut value: Value = serde_json::from_str(&text).map_err(NotAPolicy::NoJson)?;
        let statements = match value.get_mut("Statement").map(Value::take) {
            Some(Value::Array(statements)) => statements,
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(NotAPolicy::NoStatement),
        };
        Ok(Self { statements: statements.iter().map(Statement::read).collect() })
    }

    /// Returns the statements that allow an action, on whatever.
    pub fn allowing<'a>(&'a self, action: &'a str) -> impl Iterator<Item = &'a Statement> {
        self.statements
            .iter()
            .filter(move |statement| statement.allows && statement.actions.matches(action))
    }

    /// Returns the statements that deny an action on a resource.
    pub fn denying<'a>(
        &'a self,
        action: &'a str,
        resource: &'a str,
    ) -> impl Iterator<Item = &'a Statement> {
        self.statements.iter().filter(move |statement| {
            !statement.allows
                && statement.actions.matches(action)
                && statement.resources.matches(resource)
        })
    }

    /// Returns whether an action on a resource is denied to everybody whom this concerns, whatever else holds.
    pub fn denies(&self, action: &str, resource: &str) -> bool {
        self.denying(action, resource).any(Statement::is_unconditional)
    }

    /// Returns the principals to whom a resource's policy gives an action, and does not take it from them again.
    pub fn givers<'a>(&'a self, action: &'a str) -> impl Iterator<Item = &'a str> {
        let taken = move |principal: &str| {
            self.denying(action, "*").filter(|statement| statement.is_unconditional()).any(
                |statement| {
                    statement
                        .principals
                        .iter()
                        .any(|denied| denied == "*" || same_principal(denied, principal))
                },
            )
        };
        let given =
            self.allowing(action).flat_map(|statement| &statement.principals).map(String::as_str);
        given.filter(move |principal| !taken(principal))
    }
}

impl Statement {
    fn read(value: &Value) -> Self {
        let patterns = |these: &str, all_but: &str, absent: &[&str]| match (
            value.get(these),
            value.get(all_but),
        ) {
            (Some(these), _) => Patterns::These(strings(these)),
            (None, Some(all_but)) => Patterns::AllBut(strings(all_but)),
            (None, None) => Patterns::These(absent.iter().map(|one| (*one).to_owned()).collect()),
        };
        let conditions =
            value.get("Condition").and_then(Value::as_object).cloned().unwrap_or_default();
        Self {
            allows: value.get("Effect").and_then(Value::as_str) != Some("Deny"),
            principals: principals(value),
            actions: patterns("Action", "NotAction", &[]),
            resources: patterns("Resource", "NotResource", &["*"]),
            conditions,
        }
    }

    /// Returns whether nothing needs to hold for it.
    pub fn is_unconditional(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Returns whether nothing but this is needed for it.
    pub fn needs_only(&self, operator: &str, key: &str, value: &str) -> bool {
        self.conditions.values().filter_map(Value::as_object).map(Map::len).sum::<usize>() == 1
            && self.demands(operator, key).is_some_and(|values| values == [value])
    }

    /// Returns the values that a condition names, if there is such a condition. Keys are compared as IAM does.
    pub fn demands(&self, operator: &str, key: &str) -> Option<Vec<String>> {
        let (_, keys) =
            self.conditions.iter().find(|(name, _)| name.eq_ignore_ascii_case(operator))?;
        let (_, values) =
            keys.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(strings(values))
    }
}

impl Patterns {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::These(patterns) => patterns.iter().any(|pattern| matches(pattern, text)),
            Self::AllBut(patterns) => !patterns.iter().any(|pattern| matches(pattern, text)),
        }
    }
}

/// Returns whether two names mean one user, role or account: `…:assumed-role/R/session` is the role `…:role/R`.
pub fn same_principal(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}

fn canonical(principal: &str) -> String {
    let mut parts = principal.splitn(6, ':').skip(4);
    let (Some(account), Some(resource)) = (parts.next(), parts.next()) else {
        return format!("{principal}:root");
    };
    let mut names = resource.split('/');
    let name = match names.next() {
        Some("assumed-role") => format!("role/{}", names.next().unwrap_or_default()),
        Some(kind @ ("role" | "user")) => {
            format!("{kind}/{}", names.next_back().unwrap_or_default())
        }
        _ => resource.to_owned(),
    };
    format!("{account}:{name}")
}

fn principals(value: &Value) -> Vec<String> {
    let Some(principal) = value.get("Principal") else {
        // A NotPrincipal is nearly everybody.
        return vec!["*".to_owned()];
    };
    let Some(kinds) = principal.as_object() else { return strings(principal) };
    let of = |(kind, names): (&String, &Value)| {
        let prefix =
            if kind == "AWS" { String::new() } else { format!("{}:", kind.to_lowercase()) };
        strings(names).into_iter().map(move |name| format!("{prefix}{name}")).collect::<Vec<_>>()
    };
    kinds.iter().flat_map(of).collect()
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

/// Matches `*` and `?`, without regard to case, as IAM matches actions. ARNs differ in more than their case.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let text = text.to_ascii_lowercase();
    let mut ends = vec![false; text.len() + 1];
    if let Some(start) = ends.first_mut() {
        *start = true;
    }
    for wanted in pattern.bytes() {
        let mut next = vec![false; ends.len()];
        if wanted == b'*' {
            let from = ends.iter().position(|reached| *reached).unwrap_or(ends.len());
            next.iter_mut().skip(from).for_each(|reached| *reached = true);
        } else {
            let steps = next.iter_mut().skip(1).zip(&ends).zip(text.bytes());
            for ((reached, before), byte) in steps {
                *reached = *before && (wanted == b'?' || wanted == byte);
            }
        }
        ends = next;
    }
    ends.last() == Some(&true)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_iam_matches_them() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("kms:*", "kms:Decrypt", true),
            ("kms:decrypt", "kms:Decrypt", true),
            ("kms:De*t", "kms:Decrypt", true),
            ("kms:De*x", "kms:Decrypt", false),
            ("s3:Get?bject", "s3:GetObject", true),
            ("s3:Get?bject", "s3:Getbject", false),
            ("*Object*", "s3:GetObjectVersion", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_deny_takes_back_what_an_allow_gives() {
        let text = r#"{"Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::1:user/a", "arn:aws:iam::1:role/p/b"]}, "Action": "kms:*"},
            {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::1:role/p/b"}, "Action": "kms:Decrypt", "Resource": "*"}]}"#;
        let document = Document::parse(text).unwrap();
        assert_eq!(document.givers("kms:Decrypt").collect::<Vec<_>>(), ["arn:aws:iam::1:user/a"]);
        assert_eq!(document.givers("kms:Sign").count(), 2);
    }

    #[test]
    fn a_session_is_its_role() {
        assert!(same_principal(
            "arn:aws:sts::1:assumed-role/b/session",
            "arn:aws:iam::1:role/path/b"
        ));
        assert!(same_principal("1", "1"));
        assert!(!same_principal("arn:aws:iam::1:user/b", "arn:aws:iam::1:role/b"));
        assert!(!same_principal("arn:aws:iam::2:user/b", "arn:aws:iam::1:user/b"));
    }

    #[test]
    fn a_policy_is_read_as_iam_writes_it() {
        let encoded = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Deny%22%2C%22NotAction%22%3A%22s3%3A%2A%22%7D%7D";
        let document = Document::parse(encoded).unwrap();
        assert!(document.denies("iam:PutRolePolicy", "anything"));
        assert!(!document.denies("s3:GetObject", "anything"));
        assert!(Document::parse("{}").is_err() && Document::parse("x").is_err());
    }
}
