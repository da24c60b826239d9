//! The table of keys as types and as data.

use serde_json::Value;

use super::sources::Raw;

/// A section of the file.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name.
    pub(crate) name: &'static str,
    /// Lines of its description, each with a blank in front.
    pub(crate) docs: &'static [&'static str],
    /// Its keys, in the order of the table.
    pub(crate) keys: &'static [Key],
}

/// A key of the file.
#[derive(Debug)]
pub(crate) struct Key {
    /// `section.key`.
    pub(crate) path: &'static str,
    /// The key without its section.
    pub(crate) name: &'static str,
    /// Lines of its description, each with a blank in front.
    pub(crate) docs: &'static [&'static str],
    /// The default as a value of the file; null for unset.
    pub(crate) default_value: fn() -> Value,
    /// What a value looks like.
    pub(crate) kind: &'static str,
}

impl Key {
    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("SEALBOOK_{}", self.path.replace('.', "__").to_uppercase())
    }
}

/// A type a key may have.
pub(crate) trait Setting: Sized {
    /// What a value looks like: "expected …".
    const KIND: &'static str;

    /// Reads a value; the error completes "expected {KIND}, ".
    ///
    /// # Errors
    /// What was found instead.
    fn read(raw: &Raw) -> Result<Self, String>;

    /// The value as text, flag or list, in the form [`Setting::read`] takes; null when unset.
    fn show(&self) -> Value;
}

/// Expands the table to one struct for each section, `Config` and [`Section`]s.
macro_rules! sections {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {$(
            $(#[doc = $doc:literal])+
            $key:ident: $type:ty = $default:literal;
        )+}
    )+) => {
        /// Everything an operator may set, parsed.
        #[derive(Clone, Debug)]
        pub(crate) struct Config {$(
            $(#[doc = $about])+
            pub(crate) $section: $Section,
        )+
            /// Services that the operator describes, in the order of the file.
            pub(crate) platforms: Vec<checkers::configured::PlatformKeys>,
        }

        impl Config {
            /// Reads every key; `None` when one cannot be read.
            fn read(values: &mut $crate::config::sources::Values) -> Option<Self> {
                $(let $section = $Section::read(values);)+
                let platforms = std::mem::take(&mut values.platforms);
                Some(Self { $($section: $section?,)+ platforms })
            }

            /// The value of every key, in the order of [`SECTIONS`].
            fn each(&self) -> Vec<serde_json::Value> {
                vec![$($($crate::config::schema::Setting::show(&self.$section.$key),)+)+]
            }
        }

        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug)]
            pub(crate) struct $Section {$(
                $(#[doc = $doc])+
                pub(crate) $key: $type,
            )+}

            impl $Section {
                fn read(values: &mut $crate::config::sources::Values) -> Option<Self> {
                    $(let $key = values.read(
                        concat!(stringify!($section), ".", stringify!($key)),
                        $default,
                    );)+
                    Some(Self { $($key: $key?,)+ })
                }
            }
        )+

        /// Every section and key.
        pub(crate) const SECTIONS: &[$crate::config::schema::Section] = &[$(
            $crate::config::schema::Section {
                name: stringify!($section),
                docs: &[$($about),+],
                keys: &[$($crate::config::schema::Key {
                    path: concat!(stringify!($section), ".", stringify!($key)),
                    name: stringify!($key),
                    docs: &[$($doc),+],
                    default_value: || $crate::config::schema::shown_default::<$type>($default),
                    kind: <$type as $crate::config::schema::Setting>::KIND,
                },)+],
            },
        )+];
    };
}

pub(crate) use sections;

/// A default in the form of the file.
pub(crate) fn shown_default<T: Setting>(default: &str) -> Value {
    T::read(&Raw::Words(default.to_owned())).map_or(Value::Null, |value| value.show())
}
