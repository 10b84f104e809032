//! Completion scripts: what the library makes of a definition, and a few lines that ask the program for ids.

use clap::{Command, ValueEnum};
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};

use crate::offer::QUESTION;

/// The shells that there are scripts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Returns the script that completes a program's command line.
pub fn script(shell: Shell, mut program: Command) -> String {
    let name = program.get_name().to_owned();
    // With a hyphen in the program's name the library's bash script never finds its subcommands.
    let function = name.replace('-', "_");
    let mut made = Vec::new();
    match shell {
        Shell::Bash => generate(Bash, &mut program, &function, &mut made),
        Shell::Zsh => generate(Zsh, &mut program, &name, &mut made),
        Shell::Fish => generate(Fish, &mut program, &name, &mut made),
    }
    let made = String::from_utf8_lossy(&made);
    let named = |hook: &str| {
        hook.replace("FUNCTION", &function).replace("PROGRAM", &name).replace("QUESTION", QUESTION)
    };
    match shell {
        // What follows the function would register it, for a program of that name.
        Shell::Bash => {
            let function = made.split_once("\n}\n").map_or(&*made, |(function, _)| function);
            format!("{function}\n}}\n{}", named(BASH))
        }
        // Zsh calls the function by its name from the second time on: the question stands inside it.
        Shell::Zsh => {
            let begins = format!("_{name}() {{\n");
            let asking = format!("{}{begins}    _{name}_ids && return 0\n", named(ZSH));
            made.replacen(&begins, &asking, 1)
        }
        Shell::Fish => format!("{made}{}", named(FISH)),
    }
}

/// The library offers placeholders such as <SESSION>, too, which are nothing to type.
const BASH: &str = r#"
_FUNCTION_ids() {
    local ids=() kept=() word
    mapfile -t ids < <(PROGRAM QUESTION "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if ((${#ids[@]} > 0)); then
        COMPREPLY=("${ids[@]}")
        return 0
    fi
    _FUNCTION "$@"
    for word in "${COMPREPLY[@]}"; do
        [[ $word == [\<\[]* ]] || kept+=("$word")
    done
    COMPREPLY=("${kept[@]}")
}
complete -F _FUNCTION_ids -o nosort -o bashdefault -o default PROGRAM
"#;

const ZSH: &str = r#"_PROGRAM_ids() {
    local -a ids
    ids=(${(f)"$(PROGRAM QUESTION "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    (( $#ids )) || return 1
    compadd -V ids -a ids
}

"#;

const FISH: &str = r"
complete -c PROGRAM -k -a '(PROGRAM QUESTION (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
";
