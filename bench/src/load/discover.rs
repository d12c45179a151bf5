//! Which symbols a gateway has: one session asks the instrument channel before the run.

use std::time::Duration;

use super::crew::{Crew, CrewError};
use super::dashboard::{Dashboard, Ending, SessionId, Turn};
use super::frame::Requests;
use super::thread::Load;
use crate::scan::items::instruments;
use crate::scan::message::{Channel, Message, message};

/// Why no symbols were learnt.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The load side could not run.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The one session did not come up or did not last.
    #[error("{0}")]
    Session(Ending),
    /// No instrument snapshot came, or an empty one.
    #[error("instrument channel: {0}")]
    Nothing(String),
}

/// Asks the gateway of `load` for its symbols, in the order it lists them.
pub fn symbols(load: &Load, within: Duration) -> Result<Vec<String>, DiscoverError> {
    let load = Load { sessions: 1, threads: 1, here: 0..1, ..load.clone() };
    let crew = Crew::start(&load, vec![Asking::default()])?;
    crew.wait_ready(within, |_| true);
    let (asked, _) = crew.stop()?.pop().expect("one thread was started");
    match asked {
        Asking { ending: Some(ending), .. } => Err(DiscoverError::Session(ending)),
        Asking { refusal: Some(refusal), .. } => Err(DiscoverError::Nothing(refusal)),
        Asking { symbols, .. } if symbols.is_empty() => {
            Err(DiscoverError::Nothing(format!("no symbols within {within:?}")))
        }
        Asking { symbols, .. } => Ok(symbols),
    }
}

#[derive(Debug, Default)]
struct Asking {
    symbols: Vec<String>,
    ending: Option<Ending>,
    refusal: Option<String>,
}

impl Dashboard for Asking {
    fn opened(&mut self, _: SessionId, requests: &mut Requests) -> bool {
        requests
            .text(r#"{"method":"subscribe","params":{"channel":"instrument","snapshot":true}}"#);
        false
    }

    fn message(&mut self, _: SessionId, text: &[u8], _: u64) -> bool {
        match message(text) {
            Ok(Message::Data(frame)) if frame.channel == Channel::Instrument && frame.snapshot => {
                let names = &mut self.symbols;
                let read = instruments(frame.data, |symbol| {
                    names.push(String::from_utf8_lossy(symbol).into_owned());
                });
                self.refusal = read.err().map(|error| error.to_string());
                true
            }
            Ok(Message::Reply(reply)) if reply.success == Some(false) => {
                self.refusal = Some(reply.error.unwrap_or_default().into_owned());
                true
            }
            _ => false,
        }
    }

    fn ended(&mut self, _: SessionId, ending: &Ending) {
        self.ending.get_or_insert_with(|| ending.clone());
    }

    fn turned(&mut self, _: Turn) {}
}
