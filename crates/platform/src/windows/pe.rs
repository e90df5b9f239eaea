//! The header of a program's file: which processor it is for, and whether it wants a console.
//!
//! "PE Format" of the Windows documentation. The file is a stranger's: everything in it is looked at before it is believed, and
//! no more than two small pieces are read. This file is plain work on bytes and is tested on every system.

use std::io::{self, Read, Seek, SeekFrom};

/// How far into a file its header may be. Linkers put it at a few hundred bytes.
const HEADER_OFFSET_MAX: u32 = 1 << 20;

/// `IMAGE_FILE_EXECUTABLE_IMAGE`: it has no unresolved parts.
const EXECUTABLE: u16 = 0x0002;
/// `IMAGE_FILE_DLL`.
const DLL: u16 = 0x2000;

/// What a program's header says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The processor that it is built for.
    pub(super) machine: Machine,
    /// What it expects to find around it.
    pub(super) subsystem: Subsystem,
}

/// A processor, as `IMAGE_FILE_MACHINE_…` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine(pub(super) u16);

/// `IMAGE_SUBSYSTEM_…`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subsystem {
    /// No console: it shows windows, or nothing.
    Gui,
    /// The system gives it a console, unless it is told otherwise.
    Console,
    /// No program of Windows: a driver, or something for the firmware.
    Other,
}

impl Machine {
    pub(super) const I386: Machine = Machine(0x014C);
    pub(super) const ARM: Machine = Machine(0x01C4);
    pub(super) const AMD64: Machine = Machine(0x8664);
    pub(super) const ARM64: Machine = Machine(0xAA64);

    /// As people call it.
    pub(super) fn name(self) -> String {
        match self {
            Machine::I386 => "32-bit x86".into(),
            Machine::ARM => "32-bit ARM".into(),
            Machine::AMD64 => "64-bit x86".into(),
            Machine::ARM64 => "64-bit ARM".into(),
            Machine(number) => format!("a processor with the number 0x{number:04X}"),
        }
    }

    /// Whether a Windows for this processor could run a program for that one. Older releases and cut-down installations
    /// can do less ("How x86 and ARM32 emulation work on Arm", "WOW64"), which the system says at the launch: what is refused
    /// here runs on none of them.
    pub(super) fn could_run(self, program: Machine) -> bool {
        match self {
            Machine::I386 => program == Machine::I386,
            Machine::AMD64 => [Machine::AMD64, Machine::I386].contains(&program),
            Machine::ARM64 => {
                [Machine::ARM64, Machine::AMD64, Machine::I386, Machine::ARM].contains(&program)
            }
            // A Windows that this was not written for: it knows best.
            _ => true,
        }
    }
}

/// Reads the header of a program. An error of the kind `InvalidData` says in a sentence why it is none.
pub(super) fn read(file: &mut (impl Read + Seek)) -> io::Result<Header> {
    let mut head = [0; 64];
    let length = fill(file, &mut head)?;
    if !head.starts_with(b"MZ") {
        return Err(wrong(explain(&head[..length])));
    }
    if length < head.len() {
        return Err(wrong("it ends within its header; was it copied in full?"));
    }
    let offset = u32_at(&head, 0x3C);
    if offset > HEADER_OFFSET_MAX {
        return Err(wrong("it is no program for Windows: its header is out of reach"));
    }
    file.seek(SeekFrom::Start(u64::from(offset)))?;
    // The signature, the file header, and as much of the optional header as both its forms share.
    let mut header = [0; 4 + 20 + 72];
    let length = fill(file, &mut header)?;
    if !header.starts_with(b"PE\0\0") {
        return Err(wrong("it is a program for MS-DOS or 16-bit Windows, not for this one"));
    }
    if length < header.len() {
        return Err(wrong("it ends within its header; was it copied in full?"));
    }
    decode(&header)
}

fn decode(header: &[u8; 96]) -> io::Result<Header> {
    let (machine, optional_length, characteristics) =
        (Machine(u16_at(header, 4)), u16_at(header, 20), u16_at(header, 22));
    // PE32 and PE32+; both have the subsystem in the same place.
    let is_image = matches!(u16_at(header, 24), 0x010B | 0x020B);
    if characteristics & EXECUTABLE == 0 || !is_image || usize::from(optional_length) < 72 {
        return Err(wrong("it is no finished program: its linker did not complete it"));
    }
    if characteristics & DLL != 0 {
        return Err(wrong("it is a library (DLL), not a program"));
    }
    let subsystem = match u16_at(header, 24 + 68) {
        2 => Subsystem::Gui,
        3 => Subsystem::Console,
        _ => Subsystem::Other,
    };
    Ok(Header { machine, subsystem })
}

/// What a file is that is no program, as far as its first bytes tell.
fn explain(head: &[u8]) -> &'static str {
    match head {
        [] => "it is an empty file",
        [b'#', b'!', ..] => "it is a script; name its interpreter and give it the script as argument",
        [0x7F, b'E', b'L', b'F', ..] => "it is a program for Linux",
        [0xCF, 0xFA, 0xED, 0xFE, ..] | [0xCA, 0xFE, 0xBA, 0xBE, ..] => "it is a program for macOS",
        [b'P', b'K', 3, 4, ..] => "it is an archive; unpack it",
        _ => "it is not a program: it does not begin as one",
    }
}

/// Reads until the buffer is full or the file ends, and says how much there was.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn wrong(sentence: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// The least that is a program.
    fn program(machine: Machine, subsystem: u16) -> Vec<u8> {
        let mut file = vec![0; 0x80 + 96];
        file[..2].copy_from_slice(b"MZ");
        file[0x3C] = 0x80;
        let header = &mut file[0x80..];
        header[..4].copy_from_slice(b"PE\0\0");
        header[4..6].copy_from_slice(&machine.0.to_le_bytes());
        header[20] = 240;
        header[22] = EXECUTABLE as u8;
        header[24..26].copy_from_slice(&0x020B_u16.to_le_bytes());
        header[92..94].copy_from_slice(&subsystem.to_le_bytes());
        file
    }

    fn read_of(file: &[u8]) -> Result<Header, String> {
        read(&mut Cursor::new(file)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_program_needs_is_read_from_its_header() {
        for (number, subsystem) in [(2, Subsystem::Gui), (3, Subsystem::Console), (1, Subsystem::Other)] {
            for machine in [Machine::I386, Machine::AMD64, Machine::ARM64, Machine(7)] {
                assert_eq!(read_of(&program(machine, number)), Ok(Header { machine, subsystem }));
            }
        }
    }

    #[test]
    fn what_is_no_program_is_told_in_a_sentence() {
        let with = |change: fn(&mut Vec<u8>)| {
            let mut file = program(Machine::AMD64, 3);
            change(&mut file);
            read_of(&file).unwrap_err()
        };
        assert!(read_of(b"").unwrap_err().contains("empty"));
        assert!(read_of(b"no program").unwrap_err().contains("not a program"));
        assert!(read_of(b"#!/bin/sh\n").unwrap_err().contains("interpreter"));
        assert!(read_of(b"\x7FELF\x02").unwrap_err().contains("Linux"));
        assert!(read_of(b"MZ").unwrap_err().contains("in full"));
        assert!(with(|file| file[0x80] = b'N').contains("MS-DOS"));
        assert!(with(|file| file[0x3F] = 0xFF).contains("out of reach"));
        assert!(with(|file| file.truncate(0x80 + 95)).contains("in full"));
        assert!(with(|file| file[0x80 + 22] = 0).contains("linker"));
        assert!(with(|file| file[0x80 + 24] = 0).contains("linker"));
        assert!(with(|file| file[0x80 + 20] = 71).contains("linker"));
        assert!(with(|file| file[0x80 + 23] = 0x20).contains("library"));
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise() {
        let file = program(Machine::AMD64, 2);
        // Every length, and every byte of the header with every value that has one bit turned.
        for length in 0..file.len() {
            assert!(read_of(&file[..length]).is_err());
        }
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut broken = file.clone();
                broken[at] ^= 1 << bit;
                let _ = read_of(&broken);
            }
        }
    }

    #[test]
    fn processors_run_what_they_can_emulate() {
        assert!(Machine::AMD64.could_run(Machine::I386) && Machine::AMD64.could_run(Machine::AMD64));
        assert!(!Machine::AMD64.could_run(Machine::ARM64) && !Machine::AMD64.could_run(Machine(0x0200)));
        assert!(Machine::ARM64.could_run(Machine::AMD64) && Machine::ARM64.could_run(Machine::ARM));
        assert!(!Machine::I386.could_run(Machine::AMD64));
        assert_eq!(Machine::ARM64.name(), "64-bit ARM");
        assert_eq!(Machine(0x0200).name(), "a processor with the number 0x0200");
    }
}
