//! Questions to the person at the terminal.

use std::io::{BufRead as _, IsTerminal as _};

use bg_cli::say::question;

use crate::failure::Failure;

/// Asks the person at the terminal before something is signed.
///
/// # Errors
/// When there is none, or the answer is no.
pub fn confirm(text: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("there is no terminal to ask on")
            .hint("give --yes once you have read what is asked for"));
    }
    let unsigned = || Failure::new("nothing was signed").hint("answer yes in full to sign");
    let mut asked = format!("{text} [yes/no]");
    for _ in 0..ASKED_MAX {
        let answer = ask(&asked).map_err(|e| Failure::new("cannot read the answer").because(e))?;
        match answer.trim() {
            "yes" => return Ok(()),
            "no" | "n" => return Err(unsigned()),
            // The end of the input answers nothing any more.
            _ if answer.is_empty() => return Err(unsigned()),
            _ => asked = "yes, in full, or no:".to_owned(),
        }
    }
    Err(unsigned())
}

/// Asks the person at the terminal before something is done that is right or wrong, but signs nothing.
///
/// # Errors
/// When there is none.
pub fn consents(text: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Failure::new("nobody is there to say yes").hint("run it on a terminal, or with --yes")
        );
    }
    let answer = ask(&format!("bg-shell: {text} [yes/no]"))
        .map_err(|e| Failure::new("cannot ask").because(e))?;
    Ok(answer.trim() == "yes")
}

/// A standard error that nobody reads shows no question, and then nobody answers it.
fn ask(text: &str) -> std::io::Result<String> {
    question(text);
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}

/// How often a question is asked.
const ASKED_MAX: u32 = 3;
