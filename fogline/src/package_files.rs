//! What packages hold beside the programs: man pages and completions, from the command lines themselves.

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes `man/PROGRAM/` with a page for the program and each of its subcommands, and `completions/` of three shells, under
/// the names by which shells find them. Of two pages with one name, that of the program it is named after stays.
pub(crate) fn write(all_in_one: Command, folder: &Path) -> io::Result<ExitCode> {
    let man = folder.join("man");
    let pages = write_pages(all_in_one.clone(), &man)?;
    write_completions(all_in_one, &folder.join("completions"))?;
    for program in [
        fogline_agent::command::Cli::command(),
        fogline_broker::Cli::command(),
        fogline_ingest::command::Cli::command(),
    ] {
        for page in fs::read_dir(write_pages(program.clone(), &man)?)? {
            remove_if_there(&pages.join(page?.file_name()))?;
        }
        write_completions(program, &folder.join("completions"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder that it wrote them into.
fn write_pages(program: Command, man: &Path) -> io::Result<PathBuf> {
    let folder = man.join(program.get_name());
    fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(program, &folder)?;
    Ok(folder)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
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
                [format!("man/{name}/{name}.1"), format!("completions/bash/{name}"), format!("completions/zsh/_{name}")]
            {
                assert!(folder.path().join(&file).is_file(), "{file}");
            }
        }
        let page = fs::read_to_string(folder.path().join("man/fogline-agent/fogline-agent-run.1")).unwrap();
        assert!(page.contains("commit\\-every") && page.contains("FOGLINE_AGENT_COMMIT_EVERY"), "{page}");
    }

    #[test]
    fn no_page_is_in_two_packages() {
        let folder = tempfile::tempdir().unwrap();
        let agent = Command::new("agent").subcommand(Command::new("run")).subcommand(Command::new("config"));
        write(Command::new("fogline").subcommand(agent), folder.path()).unwrap();
        let has = |page: &str| folder.path().join("man/fogline").join(page).is_file();
        assert!(has("fogline-agent-config.1") && !has("fogline-agent-run.1") && !has("fogline-agent.1"));
    }
}
