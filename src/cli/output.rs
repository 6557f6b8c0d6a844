//! What commands print: results to standard output, everything else to standard error.

use std::io::{Write, stderr, stdout};

use crate::telemetry::printable;

/// Prints a result, in one piece: a log on the same terminal comes before or after it. A reader that has gone (`| head`) is no
/// reason to panic.
pub(super) fn tell(text: &str) {
    let _ = writeln!(stdout().lock(), "{text}");
}

/// Prints what is wrong.
pub(super) fn complain(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Lines of cells under their heads, each column as wide as its widest cell; numbers to the right.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| printable(cell))).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| {
            let padding = " ".repeat(width - cell.chars().count());
            if cell.parse::<i64>().is_ok() { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(std::array::from_fn(|column| row[column].as_str())));
    std::iter::once(line(heads)).chain(rows).collect::<Vec<_>>().join("\n")
}

/// The first few of many, and how many more.
pub(super) fn some_of(all: &[String], few: usize) -> String {
    let named = all.iter().take(few).map(String::as_str).collect::<Vec<_>>().join(" ");
    match all.len().checked_sub(few) {
        Some(more) if more > 0 => format!("{named} +{more}"),
        _ => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["bücher.example", "-3", "a"], ["x", "120", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["NAME", "DAYS", "FILE"], &rows),
            "NAME            DAYS  FILE\nbücher.example    -3  a\nx                120"
        );
    }

    #[test]
    fn a_cell_is_one_line_and_no_command_to_the_terminal() {
        assert_eq!(table(["FILE"], &[["a\x1b[2J\nb.pem".to_owned()]]), "FILE\na\\u{1b}[2J\\nb.pem");
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!([2, 3].map(|few| some_of(&names, few)), ["a b +1", "a b c"]);
    }
}
