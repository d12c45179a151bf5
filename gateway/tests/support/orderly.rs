//! A gateway in this process that is stopped in order when it is dropped; it has to end well.

use std::ops::Deref;
use std::path::Path;

use gateway::config::{self, Config};
use gateway::{Running, start};

pub(crate) struct Orderly(Option<Running>);

impl Orderly {
    /// Started by a config as an operator writes it.
    #[allow(dead_code, reason = "some write the config to a file")]
    pub(crate) fn by_text(text: &str) -> Self {
        Self::start(config::parse(text, Path::new("test.toml")).expect("a good config").config)
    }

    pub(crate) fn start(config: Config) -> Self {
        Self(Some(start(config).expect("it starts")))
    }
}

impl Deref for Orderly {
    type Target = Running;

    fn deref(&self) -> &Running {
        self.0.as_ref().expect("it runs until it is dropped")
    }
}

impl Drop for Orderly {
    fn drop(&mut self) {
        let Some(running) = self.0.take() else { return };
        running.stop();
        let ended = running.join();
        assert!(ended.is_ok() || std::thread::panicking(), "the gateway ended badly: {ended:?}");
    }
}
