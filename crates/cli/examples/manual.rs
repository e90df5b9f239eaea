//! Writes the manual pages of all commands into a folder: `manual FOLDER DATE`, the date as the pages bear it.
//!
//! The pages are made from what reads the command line, and so they say what `--help` says. This is an example and no command
//! of `bilayer`: a program that runs as root is better off without code that it never needs.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

#[path = "../src/args.rs"]
mod args;

/// What the header of every page calls the collection that it is in.
const MANUAL: &str = "Bilayer";

/// The places that a service leaves something in.
const FILES: [(&str, &str); 4] = [
    ("/etc/bilayer/bilayer.toml", "The configuration of the service that comes with the package."),
    ("/var/log/NAME", "The log of the service NAME and of its agents."),
    ("/var/lib/NAME", "Its state."),
    ("/run/NAME", "Its endpoints, while it runs."),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, date] = arguments.as_slice() else {
        eprintln!("usage: manual FOLDER DATE");
        return ExitCode::from(2);
    };
    let mut bilayer = args::Arguments::command();
    bilayer.build();
    match write_pages(&bilayer, Path::new(folder), date) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write the pages into {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The page of a command and those of the commands below it.
fn write_pages(command: &Command, folder: &Path, date: &str) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write_pages(inner, folder, date)?;
    }
    let source = format!("bilayer {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).date(date).source(source).manual(MANUAL);
    let mut file = BufWriter::new(File::create(folder.join(man.get_filename()))?);
    page(command, &man, &mut file)?;
    file.flush()
}

fn page(command: &Command, man: &Man, out: &mut dyn Write) -> io::Result<()> {
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.get_subcommands().any(|inner| !inner.is_hide_set()) {
        man.render_subcommands_section(out)?;
    }
    let mut rest = Roff::new();
    if let Some(codes) = command.get_after_help() {
        rest.control("SH", ["EXIT STATUS"]);
        let codes = codes.to_string();
        let codes = codes.split_once(": ").map_or(codes.as_str(), |(_, codes)| codes);
        let words: Vec<&str> = codes.split_whitespace().collect();
        rest.text([roman(words.join(" "))]);
        environment(&mut rest);
        files(&mut rest);
    }
    see_also(command, &mut rest);
    rest.to_writer(out)
}

fn environment(page: &mut Roff) {
    page.control("SH", ["ENVIRONMENT"]);
    page.control("TP", []);
    page.text([bold("BILAYER_CONFIG")]);
    page.text([roman("The configuration, where --config does not say it.")]);
    page.control("TP", []);
    page.text([bold("NO_COLOR")]);
    page.text([roman("No colours, unless --color says otherwise.")]);
}

fn files(page: &mut Roff) {
    page.control("SH", ["FILES"]);
    for (path, what) in FILES {
        page.control("TP", []);
        page.text([italic(path)]);
        page.text([roman(what)]);
    }
}

fn see_also(command: &Command, page: &mut Roff) {
    page.control("SH", ["SEE ALSO"]);
    let own = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut text = Vec::new();
    if own != "bilayer" {
        text.extend([bold("bilayer"), roman("(1), ")]);
    }
    text.extend([bold("bilayer.toml"), roman("(5)")]);
    page.text(text);
}
