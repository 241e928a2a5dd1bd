//! Tables to which each message adds rows.

/// A table whose rows are added one after the other, and which a database may add many of at once.
pub(in super::super) struct Table {
    /// Its name.
    pub(in super::super) name: &'static str,
    /// The columns that a row says something of, in the order of its values.
    pub(in super::super) columns: &'static [(&'static str, Kind)],
    /// What becomes of a row that is there already, as SQL says it; nothing: that is an error.
    pub(super) otherwise: &'static str,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// A number, a time, or 0 and 1 for no and yes.
    Integer,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

impl Table {
    /// The statement that adds one row.
    pub(in super::super) fn add_one(&self) -> String {
        self.add(&format!("VALUES ({})", self.places()))
    }

    /// The statement that adds a row if there is none with its key.
    pub(in super::super) fn add_new(&self) -> String {
        format!("{} ON CONFLICT DO NOTHING", self.add_one())
    }

    /// The statement that adds as many rows as there are in its parameters, which are columns, each an array.
    pub(in super::super) fn add_columns(&self) -> String {
        self.add(&format!("SELECT * FROM unnest({})", self.places()))
    }

    fn add(&self, rows: &str) -> String {
        let columns: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut sql = format!("INSERT INTO {} ({}) {rows}", self.name, columns.join(", "));
        if !self.otherwise.is_empty() {
            sql.push(' ');
            sql.push_str(self.otherwise);
        }
        sql
    }

    fn places(&self) -> String {
        let places: Vec<_> = (1..=self.columns.len()).map(|place| format!("${place}")).collect();
        places.join(", ")
    }
}
