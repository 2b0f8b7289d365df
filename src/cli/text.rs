//! Values and tables as plain text for people.

use std::fmt::{self, Display};
use std::time::Duration;

use crate::continuity::{HolderName, OutputStatus};

/// The columns of [`output_cells`].
pub const OUTPUT_COLUMNS: [&str; 8] =
    ["PLAYLIST", "SEGMENTS", "LENGTH", "SIZE", "GAPS", "TAIL", "BEGIN", "END"];

/// Rows of cells under each other. The last cell of a row may be of any length: it makes no column wider.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a first row.
    pub fn new<T: Display>(head: impl IntoIterator<Item = T>) -> Self {
        let mut table = Self::default();
        table.row(head);
        table
    }

    /// Adds a row.
    pub fn row<T: Display>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| cell.to_string()).collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            let measured = row.len().saturating_sub(1);
            widths.resize(widths.len().max(measured), 0);
            for (width, cell) in widths.iter_mut().zip(row.iter().take(measured)) {
                *width = (*width).max(cell.len());
            }
        }
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate() {
                let width = widths.get(index).copied().unwrap_or(0);
                line.push_str(&if index + 1 < row.len() { format!("{cell:width$}  ") } else { cell.clone() });
            }
            let end = if number + 1 < self.rows.len() { "\n" } else { "" };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A length of time.
pub fn length(millis: u64) -> String {
    humantime::format_duration(Duration::from_millis(millis)).to_string()
}

/// Reads a number of bytes, as `500MB` or `8GiB`.
///
/// # Errors
/// What it should look like.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor: Option<u64> = match unit.trim() {
        "" | "B" => Some(1),
        "kB" | "KB" => Some(1000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "TB" => Some(1_000_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    let size =
        digits.parse().ok().zip(factor).and_then(|(count, factor): (u64, u64)| count.checked_mul(factor));
    size.filter(|&size| size > 0).ok_or_else(|| "write it as 500MB or 8GiB".to_owned())
}

/// So many bytes.
pub fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// Gaps, or what was salvaged: how many, and how long together.
pub fn gaps(count: u64, millis: u64) -> String {
    if count == 0 { "0".to_owned() } else { format!("{count} of {}", length(millis)) }
}

/// Who holds a recording, with the uid of that turn.
pub fn holder(holder: &HolderName) -> String {
    format!("{holder}, uid {}", holder.uid)
}

/// One playlist, under [`OUTPUT_COLUMNS`].
pub fn output_cells(output: &OutputStatus) -> Vec<String> {
    vec![
        output.playlist.clone(),
        output.segments.to_string(),
        length(output.duration_millis),
        size(output.bytes),
        gaps(output.gaps, output.gap_millis),
        output.tail.to_string(),
        output.begin.to_string(),
        output.end.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_the_last_one_does_not_count() {
        let mut table = Table::new(["A", "B", "C"]);
        table.row(["1", "second", "x"]);
        table.row(["22", "an error that is long"]);
        table.row(["3", "", ""]);
        assert_eq!(table.to_string(), "A   B       C\n1   second  x\n22  an error that is long\n3");
    }
}
