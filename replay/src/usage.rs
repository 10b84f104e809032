//! What `--help` teaches. Examples keep within 80 columns; a paragraph is one line, which clap wraps.

/// After the list of commands.
pub const MAIN: &str = "\
Examples:
  bg-replay ls                            what was recorded, newest first
  bg-replay verify last                   is it whole? needs no opening key
  bg-replay play last --idle-limit 2      no pause is longer than 2 s
  bg-replay cat 01a2 | grep -n DROP       named by the beginning of its id
  bg-replay export last --format cast -o incident.cast
  bg-replay verify --all --json | jq -r 'select(.verdict != \"intact\").session'
  bg-replay verify /mnt/tapes/2026/11/23/01a2…/ --trust sign.pub.pem
  bg-replay verify s3://evidence/tapes/sessions/2026/11/23/01a2…

A session is named by its id, the beginning of its id, `last`, or a place that has its objects: a directory (with a slash in it) or s3://…

Evidence and keys are those of bg-shell's configuration file, sections [aws] and [evidence], or, without one, of the practice world below $XDG_STATE_HOME/bg-shell. Verifying needs to read and list the evidence and the public signing key, from a file or kms:GetPublicKey; only playing, exporting and searching open it, with kms:Decrypt or a key file.

Exit codes: 0 done, and for verify: intact; 1 broken; 2 could not look, or a wrong command line; 3 live, unfinished or recovered (verify only).";

/// After the options of `play`.
pub const PLAY: &str = "\
Keys while playing on a terminal:
  space        pause, go on              .      the next output, while paused
  left, right  5 s back, 5 s forward     [ ]    previous, next marker
  + -          twice, half the speed     i      next input
  Ctrl-S, -Q   hold, go on               q, Ctrl-C    quit
  Ctrl-Z       stop; the shell's fg goes on

Only text, colours and cursor positions reach the terminal: no title, no clipboard, no query does, and the screen is the one that was recorded even where this terminal is larger. A recording that is larger than the terminal is shown cut, following the cursor. With --raw the recorded bytes go to a terminal that is large enough as they are, to see what a program really did to it: do that with a session that you trust. Into a pipe or a file they always go as they are.

Examples:
  bg-replay play last --speed 4 --idle-limit 1s
  bg-replay play 01a2f3 --from 12m30s --raw";

/// After the options of `verify`.
pub const VERIFY: &str = "\
Verdicts and exit codes:
  intact 0        sealed, whole, signed by a trusted key
  broken 1        something is not as it was recorded: names object and frame
  unverifiable 2  something needed is unreadable, or no trusted key was given
  live 3          not sealed yet, heard of just now
  unfinished 3    not sealed, not heard of: says where it ends
  recovered 3     the recorder died; what it had accepted is there

--all also checks the host's count of its sessions: one that was wholly deleted leaves a hole. The exit code over several: 1 before 2 before 3 before 0.";

/// After the options of `export`.
pub const EXPORT: &str = "\
Formats:
  cast    asciicast v2, for any asciinema player
  cast3   asciicast v3, for asciinema 3
  txt     the text as a person saw it, scrollback included
  jsonl   one JSON object an event; exact bytes as base64 where needed
  raw     exactly the bytes that the session wrote

Examples:
  bg-replay export last --format cast -o incident.cast
  bg-replay export last --format jsonl | jq -r 'select(.code == \"i\").data'";

/// After the options of `seen`.
pub const SEEN: &str = "\
A line is what the keys say: what the shell's history, completion or suggestions had a part in is marked partial. What was typed at secret prompts and into full-screen programs is left out. Secrets are found by pattern, and shown masked. `bg-shell report SESSION --from-tape` puts all of it into the incident report.

Examples:
  bg-replay seen last
  bg-replay seen 01a2f3 --json | jq -r '.seen.commands[].line'";
