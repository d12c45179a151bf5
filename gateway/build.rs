//! Lists the dashboard's files, so that the door carries them inside the program and a new file
//! needs no second mention anywhere. Only what a browser loads counts; tests and package.json stay
//! out.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

const SERVED: [&str; 7] = ["html", "css", "js", "svg", "png", "ico", "woff2"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=dashboard");
    let mut names: Vec<String> = fs::read_dir("dashboard")?
        .map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()?;
    names.retain(|name| is_served(name));
    names.sort();
    let mut text = String::from("&[\n");
    for name in names {
        writeln!(
            text,
            "({name:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/dashboard/\", \
             {name:?}))),"
        )
        .expect("a String takes everything");
    }
    text.push(']');
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("dashboard_files.rs"), text)
}

fn is_served(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default();
    SERVED.contains(&extension) && !name.contains(".test.") && !name.starts_with('.')
}
