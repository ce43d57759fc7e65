//! What packages hold beside the programs: man pages and completions, from the command lines themselves.

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Writes `man/NAME.1` for each program and each of its subcommands, and `completions/` of three shells, under the names
/// by which shells find them.
pub(crate) fn write(all_in_one: Command, folder: &Path) -> io::Result<ExitCode> {
    let programs = [
        all_in_one,
        fogline_agent::command::Cli::command(),
        fogline_broker::Cli::command(),
        fogline_ingest::command::Cli::command(),
    ];
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    for program in programs {
        clap_mangen::generate_to(program.clone(), &man)?;
        write_completions(program, &completions)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_completions(mut program: Command, folder: &Path) -> io::Result<()> {
    let name = program.get_name().to_owned();
    for (shell, file) in
        [(Shell::Bash, name.clone()), (Shell::Zsh, format!("_{name}")), (Shell::Fish, format!("{name}.fish"))]
    {
        let folder = folder.join(shell.to_string());
        fs::create_dir_all(&folder)?;
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut program, &name, &mut script);
        fs::write(folder.join(file), script)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_pages_and_completions() {
        let folder = tempfile::tempdir().unwrap();
        write(Command::new("fogline").about("all"), folder.path()).unwrap();
        for name in ["fogline", "fogline-agent", "fogline-broker", "fogline-ingest"] {
            for file in
                [format!("man/{name}.1"), format!("completions/bash/{name}"), format!("completions/zsh/_{name}")]
            {
                assert!(folder.path().join(&file).is_file(), "{file}");
            }
        }
        let page = fs::read_to_string(folder.path().join("man/fogline-agent-run.1")).unwrap();
        assert!(page.contains("commit\\-every") && page.contains("FOGLINE_AGENT_COMMIT_EVERY"), "{page}");
    }
}
