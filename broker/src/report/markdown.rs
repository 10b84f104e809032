//! The report as Markdown.

use bg_recorder::facts::case::GATE;
use bg_recorder::stamp::Stamp;

use super::facts::text;
use super::model::{Approvals, Exposed, Known, Report, SessionEnd};
use super::page::{Page, plain};

/// Writes the report.
pub fn markdown(report: &Report) -> String {
    let mut page = Page(String::new());
    page.line(&format!("# Emergency access: session {}", report.session));
    page.line(&format!(
        "Made {} by {}. Each line names the fact or the object of the tape that says so.",
        short(report.made),
        plain(&report.by)
    ));
    summary(&mut page, report);
    approvals(&mut page, report);
    timeline(&mut page, report);
    exposures(&mut page, report);
    commands(&mut page, report);
    tape(&mut page, report);
    page.0
}

fn summary(page: &mut Page, report: &Report) {
    if !report.to_do.is_empty() {
        page.line("## To do");
        page.list(report.to_do.iter().map(|to_do| to_do.what.as_str()));
        let commands = report.to_do.iter().filter_map(|to_do| to_do.command.clone());
        page.code("sh", &commands.collect::<Vec<_>>());
    }
    page.line("## Summary");
    let who = &report.who;
    let why = &report.why;
    let access = &report.access;
    let times = &report.times;
    let seconds = |ms: &Option<Known<u64>>| {
        ms.as_ref().map(|ms| Known { value: seconds(ms.value), source: ms.source.clone() })
    };
    let forced = if access.forced.value { "OVERRIDE: opened without its approvals" } else { "no" };
    let said = |value: String, source: &Option<String>| {
        Some(Known { value, source: source.clone().unwrap_or_default() })
    };
    let rows = [
        ("Person", who.person.clone()),
        ("User", who.user.clone()),
        ("Host", who.host.clone()),
        ("Command", who.command.clone()),
        ("Reason", why.reason.clone()),
        ("Incident", why.incident.clone()),
        ("Role", access.role.clone()),
        ("IAM role", access.role_arn.clone()),
        ("Request", access.request.clone()),
        ("Override", said(forced.to_owned(), &Some(access.forced.source.clone()))),
        ("Second factor", access.mfa.clone()),
        ("Custody of the credentials", access.custody.clone()),
        ("First access key id", access.access_key_id.clone()),
        ("Had to end by", access.deadline.clone()),
        ("SessionEnd by", said(ended(&report.ended), &report.ended.source)),
        ("End of the access", said(report.revocation.text.clone(), &report.revocation.source)),
        (
            "Gate",
            report
                .revocation
                .gate
                .clone()
                .and_then(|gate| said(gate, &Some(format!("fact {GATE}")))),
        ),
        ("Time to access", seconds(&times.to_access_ms)),
        ("Time to revoke", seconds(&times.to_revoke_ms)),
        ("Tape", said(report.tape.verdict.to_string(), &Some("verification".to_owned()))),
    ];
    let unknown = || Known { value: "not known".to_owned(), source: String::new() };
    let rows = rows.map(|(name, known)| (name, known.unwrap_or_else(unknown)));
    page.table(
        &["What", "", "Source"],
        rows.map(|(name, known)| vec![name.to_owned(), known.value, known.source]),
    );
}

fn ended(ended: &SessionEnd) -> String {
    let detail = ended.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let exit = ended.exit.map(|exit| format!(" (status {exit})")).unwrap_or_default();
    let at = ended.at.map(|at| format!(", {}", short(at))).unwrap_or_default();
    format!("{}{detail}{exit}{at}", ended.how)
}

fn approvals(page: &mut Page, report: &Report) {
    let approvals = &report.approvals;
    page.line("## Approvals");
    page.line(&decided(approvals, report.access.forced.value));
    if !approvals.given.is_empty() {
        let dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
        let rows =
            approvals.given.iter().map(|a| vec![a.person.clone(), dash(&a.made), dash(&a.expires)]);
        page.table(&["Person", "Signed", "Valid until"], rows);
    }
    if approvals.signers.is_empty() {
        return;
    }
    let rows = approvals.signers.iter().map(|signer| {
        let known = match signer.known {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "not compared",
        };
        let signed = signer.signed.to_owned();
        vec![signed, signer.person.clone(), signer.key.clone(), known.to_owned()]
    });
    page.table(&["Signed", "Person", "Key", "In your allowed_signers"], rows);
    page.line(match approvals.same_signers {
        Some(true) => "The allowed_signers on the tape are those that are configured here.",
        Some(false) => "The allowed_signers on the tape are NOT those that are configured here.",
        None => "There are no allowed_signers of this role here to compare the tape's with.",
    });
    page.line(match approvals.same_terms {
        Some(true) => "The request was made under the terms that are configured here.",
        Some(false) => "The request was NOT made under the terms that are configured here.",
        None => "There are no terms of this role here to compare the request's with.",
    });
}

/// Says in sentences how many approved, and what verification says of what was signed.
fn decided(approvals: &Approvals, forced: bool) -> String {
    let needed = approvals.quorum.map_or_else(|| "?".to_owned(), |quorum| quorum.to_string());
    let given = match (approvals.verdict, approvals.given.len(), approvals.quorum) {
        ("none", ..) => return "None: this session opened no role.".to_owned(),
        ("unknown", ..) => return "Not known: the genesis cannot be read.".to_owned(),
        (_, 0, _) if forced => format!("None given, {needed} needed: opened by OVERRIDE."),
        (_, 0, Some(0)) => "None needed (quorum 0): opened by its requester alone.".to_owned(),
        (_, 0, _) => format!("None given, {needed} needed."),
        (_, count, _) => format!("{count} given, {needed} needed."),
    };
    let signed = if approvals.given.is_empty() {
        "request and claim"
    } else {
        "request, approvals and claim"
    };
    let source = approvals.source.as_ref().map(|source| format!(" (source: {})", plain(source)));
    let holds = match approvals.verdict {
        "valid" => "**valid**",
        _ => "**invalid**: see the findings",
    };
    format!(
        "{given} Of what was signed ({signed}), verification of the tape says: {holds}{}.",
        source.unwrap_or_default()
    )
}

fn timeline(page: &mut Page, report: &Report) {
    page.line("## Timeline");
    let rows = report.timeline.iter().map(|m| vec![short(m.at), m.what.clone(), m.source.clone()]);
    page.table(&["Time (UTC)", "What", "Source"], rows);
}

fn exposures(page: &mut Page, report: &Report) {
    let exposures = &report.exposures;
    page.line("## Secrets that could be seen");
    page.line(&format!(
        "{} ({}).",
        if exposures.known {
            amount(exposures.found.len(), exposures.more)
        } else {
            "Not known".to_owned()
        },
        plain(exposures.note)
    ));
    if exposures.found.is_empty() {
        return;
    }
    let rows = exposures.found.iter().map(|exposed| {
        let e = &exposed.exposure;
        let state = exposed.deactivated.map_or_else(
            || if exposed.own { "own" } else { "exposed" }.to_owned(),
            |at| format!("deactivated {}", short(at)),
        );
        vec![
            short(e.at),
            word(&e.kind),
            e.shown.clone(),
            e.sha256.clone(),
            format!("{} byte {}", word(&e.stream), e.offset),
            state,
        ]
    });
    page.table(&["Time (UTC)", "Kind", "Masked", "SHA-256, first 16", "Where", "State"], rows);
    page.line("To make them worthless:");
    let mut lines: Vec<String> = Vec::new();
    for line in
        exposures.found.iter().filter(|exposed| exposed.deactivated.is_none()).flat_map(advised)
    {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    page.code("sh", &lines);
}

fn advised(exposed: &Exposed) -> Vec<String> {
    let e = &exposed.exposure;
    let title = format!("# {} {}", word(&e.kind), e.shown);
    [title].into_iter().chain(exposed.rotate.iter().cloned()).collect()
}

fn commands(page: &mut Page, report: &Report) {
    let commands = &report.commands;
    page.line("## Commands typed (best effort)");
    page.line(&format!(
        "{} ({}).",
        if commands.known {
            amount(commands.lines.len(), commands.more)
        } else {
            "Not known".to_owned()
        },
        plain(commands.note)
    ));
    if !commands.lines.is_empty() {
        let partial = |partial: bool| if partial { "partial" } else { "" };
        let rows = commands
            .lines
            .iter()
            .map(|c| vec![short(c.at), c.line.clone(), partial(c.partial).to_owned()]);
        page.table(&["Time (UTC)", "Typed", ""], rows);
    }
}

fn tape(page: &mut Page, report: &Report) {
    let tape = &report.tape;
    page.line("## Tape");
    page.line(&format!(
        "**{}**: frames {}, segments {}, at {}. Verify it yourself:",
        tape.verdict,
        tape.frames,
        tape.segments,
        plain(&tape.source),
    ));
    page.code("sh", &[format!("bg-replay verify {}", report.session)]);
    if let (Some(lasted), Some(last)) = (&tape.lasted_ms, &tape.last_event) {
        page.line(&format!(
            "It lasted {} ({}); its last event was at {} ({}).",
            seconds(lasted.value),
            plain(&lasted.source),
            short(last.value),
            plain(&last.source)
        ));
    }
    if !tape.findings.is_empty() {
        let rows = tape.findings.iter().map(|f| {
            vec![
                f.object.clone(),
                f.frame.map(|n| n.to_string()).unwrap_or_default(),
                f.what.clone(),
            ]
        });
        page.table(&["Object", "Frame", "Finding"], rows);
    }
    if !report.untrusted.is_empty() {
        page.line(
            "Objects in the place of facts whose signature does not hold, of which nothing is used here:",
        );
        page.list(report.untrusted.iter().map(String::as_str));
    }
}

fn amount(count: usize, more: u64) -> String {
    if more > 0 { format!("{count} and {more} more") } else { count.to_string() }
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().as_ref().and_then(text).unwrap_or_default()
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

/// Returns a time to the millisecond.
fn short(stamp: Stamp) -> String {
    let text = stamp.to_string();
    text.get(..23).map_or_else(|| text.clone(), |day| format!("{}Z", day.replace('T', " ")))
}
