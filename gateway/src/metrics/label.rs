//! Labels: closed sets of words that tell the cells of one family apart.
//!
//! A label is an enum, never text from outside, so the number of time series is known when the
//! gateway is compiled and counting is an array index.

use std::fmt;

use super::cell::Counter;

/// A closed set of label values.
pub trait Label: Copy + 'static {
    /// The label's name in the exposition.
    const KEY: &'static str;
    /// Every value, in the order of `index`.
    const ALL: &'static [Self];
    /// One cell for each value.
    type Cells<C: Default>: Default + AsRef<[C]>;

    /// This value's place in `ALL`.
    fn index(self) -> usize;

    /// This value in the exposition.
    fn word(self) -> &'static str;
}

/// One cell for each value of a label.
pub struct Family<L: Label, C: Default = Counter>(L::Cells<C>);

impl<L: Label, C: Default> Family<L, C> {
    /// The cell of one value.
    pub fn of(&self, label: L) -> &C {
        &self.0.as_ref()[label.index()]
    }
}

impl<L: Label> Family<L> {
    /// All values together.
    pub fn total(&self) -> u64 {
        self.0.as_ref().iter().map(Counter::value).sum()
    }
}

impl<L: Label, C: Default> Default for Family<L, C> {
    fn default() -> Self {
        Self(L::Cells::default())
    }
}

impl<L: Label, C: Default + fmt::Debug> fmt::Debug for Family<L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(L::ALL.iter().map(|&label| (label.word(), self.of(label)))).finish()
    }
}

/// Declares a closed set: the enum, its words and its label key. At most 32 values, because that is
/// how far the standard library knows the default of an array.
macro_rules! label_set {
    ($(#[$doc:meta])* $name:ident, $key:literal,
     $($(#[$value_doc:meta])* $value:ident = $word:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl $crate::metrics::Label for $name {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$(Self::$value,)+];
            type Cells<C: Default> = [C; [$($word,)+].len()];

            fn index(self) -> usize {
                self as usize
            }

            fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    };
}

pub(super) use label_set;

/// Makes a label of a closed set that another crate declares, with its words and the list of all.
macro_rules! label_of {
    ($set:ty, $key:literal) => {
        impl $crate::metrics::Label for $set {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &<$set>::ALL;
            type Cells<C: Default> = [C; <$set>::ALL.len()];

            fn index(self) -> usize {
                self as usize
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

pub(super) use label_of;

label_of!(venue::Ignored, "kind");
label_of!(rights::CredentialKind, "kind");
label_of!(rights::Failure, "reason");
label_of!(market::State, "state");
