//! How a login begins, as far as the card is concerned.

/// What the card is asked depends on what the agent has done with it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// The card was used a moment ago.
    Warm,
    /// It was not used for a while, and lost its power.
    Cold,
    /// It is put in when the login asks for it.
    Inserted,
}

impl Start {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cold, Self::Warm, Self::Inserted];

    /// The commands that such a login costs, as the virtual card names them.
    #[must_use]
    pub const fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Cold => &["SELECT", "GET_DATA_6E", "GET_DATA_F9", "VERIFY", "PSO_CDS"],
            Self::Warm => &["GET_DATA_C4", "VERIFY", "PSO_CDS"],
            Self::Inserted => &["SELECT", "GET_DATA_6E", "GET_DATA_F9", "GET_DATA_C4", "VERIFY", "PSO_CDS"],
        }
    }

    /// How many of these come before the PIN is asked for.
    #[must_use]
    pub const fn before_pin(self) -> usize {
        match self {
            Self::Warm | Self::Cold => 0,
            Self::Inserted => 3,
        }
    }

    /// For the heading of a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Inserted => "inserted",
        }
    }
}

/// The name that the agent gives a command in its messages.
#[must_use]
pub fn spoken(command: &str) -> String {
    match command {
        "PSO_CDS" => "PSO: COMPUTE DIGITAL SIGNATURE".to_owned(),
        other => other.replace('_', " "),
    }
}
