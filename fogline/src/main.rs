//! `fogline`: everything in one command.

use std::process::ExitCode;

fn main() -> ExitCode {
    fogline::cli::main()
}
