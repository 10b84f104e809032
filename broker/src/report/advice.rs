//! What makes an exposed secret worthless: exact commands where there are some.

use bg_relay::tap::{Exposure, SecretKind};

/// Returns command lines; a sentence for a person begins with `#`. `own` is the key id of the session's own
/// credentials.
pub fn rotate(exposure: &Exposure, own: Option<&str>) -> Vec<String> {
    let id = exposure.shown.as_str();
    match exposure.kind {
        SecretKind::AwsAccessKeyId => access_key(id),
        SecretKind::AwsTemporaryKeyId if own == Some(id) => {
            vec!["# this session's own credentials: its close-out denies them".to_owned()]
        }
        SecretKind::AwsTemporaryKeyId => vec![
            format!("aws sts get-access-key-info --access-key-id {id}"),
            "# temporary credentials cannot be deactivated: revoke the active sessions of the role they are of".to_owned(),
            "aws iam put-role-policy --role-name ROLE --policy-name AWSRevokeOlderSessions --policy-document \
             \"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"Deny\\\",\\\"Action\\\":\\\"*\\\",\\\"Resource\\\":\\\"*\\\",\
             \\\"Condition\\\":{\\\"DateLessThan\\\":{\\\"aws:TokenIssueTime\\\":\\\"$(date -u +%FT%TZ)\\\"}}}]}\""
                .to_owned(),
        ],
        SecretKind::AwsSecretKey => match exposure.key_id.as_deref() {
            Some(id) if own == Some(id) => {
                vec!["# this session's own credentials: its close-out denies them".to_owned()]
            }
            Some(id) => vec![format!("# the secret of {id}: see there")],
            None => vec!["# find the access key it belongs to, then deactivate, replace and delete that".to_owned()],
        },
        SecretKind::AwsSessionToken => {
            vec!["# belongs to temporary credentials: revoke the sessions of their role, as for an ASIA id".to_owned()]
        }
        SecretKind::PrivateKey => vec![
            "# make a new key, replace the public half wherever it is trusted, then destroy this one".to_owned(),
        ],
        SecretKind::GithubToken => vec![
            "# revoke it: GitHub, Settings, Developer settings; or POST /credentials/revoke of its REST API".to_owned(),
        ],
        SecretKind::SlackToken => vec!["# revoke it with the auth.revoke method of Slack's Web API".to_owned()],
        SecretKind::Jwt => vec!["# end the session or rotate the signing key at its issuer; else it lives until exp".to_owned()],
    }
}

/// An id is 20 capitals and digits, so it needs no quotes.
fn access_key(id: &str) -> Vec<String> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    if !id.chars().all(plain) {
        return Vec::new();
    }
    vec![
        format!(
            "user=$(aws iam get-access-key-last-used --access-key-id {id} --query UserName --output text)"
        ),
        format!(
            "aws iam update-access-key --user-name \"$user\" --access-key-id {id} --status Inactive"
        ),
        "aws iam create-access-key --user-name \"$user\"".to_owned(),
        format!(
            "# once nothing uses it: aws iam delete-access-key --user-name \"$user\" --access-key-id {id}"
        ),
    ]
}
