//! What can happen in a session (FORMAT.md 7.1).

use serde::{Deserialize, Serialize};

/// One thing that happened, as the relay hands it to the recorder.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Bytes the session wrote to its terminal, at most [`CHUNK_MAX`].
    Output(&'a [u8]),
    /// Bytes that went to the session, at most [`CHUNK_MAX`].
    Input(&'a [u8]),
    /// The terminal has a new size.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// A label that a reader can seek to.
    Marker(&'a str),
    /// The session's exit status; 128 + n for signal n.
    Exit(i32),
    /// Something the recorder or the broker says of the session.
    Notice(&'a Notice),
}

/// What the recorder or the broker says on the tape, as `N` events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Notice {
    /// Input typed at a secret prompt is not on the tape.
    Redacted {
        /// How many bytes were typed.
        bytes: u64,
        /// What said that it is one, where that is not the session's own terminal: echo off, line mode on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Sign>,
    },
    /// The session's deadline is near.
    Deadline {
        /// Seconds left.
        left_s: u64,
    },
    /// The evidence store went away, is still away, or came back.
    Store {
        /// Which.
        state: StoreState,
        /// Seconds until the session ends, if it stays away.
        #[serde(skip_serializing_if = "Option::is_none")]
        left_s: Option<u64>,
        /// For how many seconds it was away.
        #[serde(skip_serializing_if = "Option::is_none")]
        away_s: Option<u64>,
        /// How much of the spool's limit is used.
        #[serde(skip_serializing_if = "Option::is_none")]
        used_percent: Option<u64>,
        /// Bytes that wait for it.
        waiting_bytes: u64,
        /// Which limit ended the session.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<StoreLimit>,
    },
    /// Somebody wanted more time while the store was away.
    Extension(Extended),
    /// Something was lost, and this says how much.
    Gap {
        /// Bytes lost, as far as known.
        bytes: u64,
        /// Why.
        why: String,
    },
    /// Standard input ended.
    StdinClosed,
    /// The session never read the last of its input.
    Unread {
        /// How many bytes.
        bytes: u64,
    },
    /// Processes that outlived the session's leader were killed.
    Killed {
        /// How many.
        processes: u64,
    },
    /// Processes outlived the session: nothing that this user may do ended them.
    Survived {
        /// Which, as far as they are named.
        processes: Vec<Survivor>,
    },
    /// Something became of the session's credentials.
    Credentials {
        /// What.
        state: CredentialState,
        /// Which ones.
        #[serde(skip_serializing_if = "Option::is_none")]
        access_key_id: Option<String>,
        /// When they die: the new ones, or the old ones that stay.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires: Option<String>,
        /// The request id, as CloudTrail has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
        /// Why not.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The keys that epochs are sealed with come from elsewhere now.
    Keys {
        /// From which epoch on.
        epoch: u32,
        /// From where.
        state: KeyState,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Somebody wants the session to end.
    Revoked {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

/// What says that a secret is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// Another terminal of the session has echo off and line mode on.
    Inner,
    /// The screen asks for one in words.
    Prompt,
    /// The screen answers keys with stars.
    Mask,
}

/// A process that could not be killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Its id, as the session's processes see it.
    pub pid: i32,
    /// Who it runs as.
    pub uid: u32,
    /// What it runs.
    pub command: String,
}

/// What became of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialState {
    /// They were issued, and the probe worked with them.
    Issued,
    /// New ones replaced them before they died.
    Renewed,
    /// New ones could not be had.
    Refused,
}

/// Where epoch keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// They are made here, and wrapped to escrow keys alone.
    Escrow,
    /// From the key service.
    Service,
}

/// Whether the evidence store answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreState {
    /// It does not: objects wait in the spool.
    Down,
    /// It still does not.
    Countdown,
    /// It still does not, and time or space is nearly gone.
    Asking,
    /// It does again.
    Up,
    /// Nothing waits for it any more.
    Drained,
    /// The session ends for it.
    Over,
}

/// An extension, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extended {
    /// What became of it.
    pub state: ExtensionState,
    /// Who gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// As what.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub by_role: Option<ExtendedAs>,
    /// For how many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u64>,
    /// Seconds that are left with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_s: Option<u64>,
    /// Until when the session may last now, where its own end was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// What an approver signed, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The signature over it, armored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of an extension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtensionState {
    /// It counts.
    Granted,
    /// It does not.
    #[default]
    Refused,
}

/// As what somebody extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtendedAs {
    /// With a signature.
    Approver,
    /// Without.
    Responder,
}

/// What a session without its store runs out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreLimit {
    /// Time.
    Time,
    /// Room in the spool.
    Space,
}

/// The most bytes of one input or output event.
pub const CHUNK_MAX: usize = 65_536;
