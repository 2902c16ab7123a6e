//! The users × permissions matrix, sparse, and the reader of `.upa` files.

use std::collections::HashMap;

use thiserror::Error;

/// What is wrong with a `.upa` text.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MatrixError {
    /// A character that no name has, most often because the file is not a `.upa` file at all.
    #[error("reading the matrix: line {line}: `{token}` holds a control character: not a `.upa` file")]
    ControlCharacter {
        /// Line, counted from 1.
        line: usize,
        /// The word with the control characters escaped.
        token: String,
    },
    /// No line names a user.
    #[error("reading the matrix: no user in it; a line is a user's name, then its permissions")]
    Empty,
    /// More users or permissions than 32 bits can count.
    #[error("reading the matrix: line {line}: more than {limit} names")]
    TooLarge {
        /// Line, counted from 1.
        line: usize,
        /// The largest number of names.
        limit: u32,
    },
}

/// Who has which permission. Rows are sorted, without doubles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    /// Names of the users; the index is the user.
    pub users: Vec<String>,
    /// Names of the permissions; the index is the permission.
    pub permissions: Vec<String>,
    /// For every user its permissions, sorted.
    pub rows: Vec<Vec<u32>>,
}

impl Matrix {
    /// A matrix of numbered users and permissions. Rows are sorted and freed of doubles; permissions beyond `permissions` widen it.
    pub fn from_rows(permissions: usize, mut rows: Vec<Vec<u32>>) -> Self {
        let mut width = permissions;
        for row in &mut rows {
            row.sort_unstable();
            row.dedup();
            if let Some(&last) = row.last() {
                width = width.max(last as usize + 1);
            }
        }
        Self {
            users: (0..rows.len()).map(|u| format!("u{u}")).collect(),
            permissions: (0..width).map(|p| format!("p{p}")).collect(),
            rows,
        }
    }

    /// Reads the `.upa` format: a line a user, its name and then its permissions, separated by white space; `#` starts a comment;
    /// blank lines are skipped. A user named twice has what both lines say.
    ///
    /// # Errors
    /// When a word holds a control character, when there is no user, or when there are more names than `u32` counts.
    pub fn read_upa(text: &str) -> Result<Self, MatrixError> {
        let mut matrix = Self::default();
        let mut user_ids: HashMap<&str, u32> = HashMap::new();
        let mut permission_ids: HashMap<&str, u32> = HashMap::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in text.lines().enumerate() {
            let line_number = number + 1;
            let content = line.split('#').next().unwrap_or_default();
            let mut words = content.split_whitespace();
            let Some(name) = words.next() else { continue };
            check_word(name, line_number)?;
            let user = intern(name, &mut user_ids, &mut matrix.users, line_number)?;
            if user as usize == matrix.rows.len() {
                matrix.rows.push(Vec::new());
            }
            let Some(row) = matrix.rows.get_mut(user as usize) else {
                continue;
            };
            for word in words {
                check_word(word, line_number)?;
                row.push(intern(word, &mut permission_ids, &mut matrix.permissions, line_number)?);
            }
        }
        if matrix.users.is_empty() {
            return Err(MatrixError::Empty);
        }
        for row in &mut matrix.rows {
            row.sort_unstable();
            row.dedup();
        }
        Ok(matrix)
    }

    /// How many pairs there are.
    pub fn ones(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    /// Whether `user` has `permission`.
    pub fn has(&self, user: u32, permission: u32) -> bool {
        self.rows
            .get(user as usize)
            .is_some_and(|row| row.binary_search(&permission).is_ok())
    }

    /// The rows of `other` in this matrix's numbering: users and permissions are matched by name, what this one does not know is left out.
    pub fn translate(&self, other: &Matrix) -> Vec<Vec<u32>> {
        let permission_ids: HashMap<&str, u32> = self.permissions.iter().map(String::as_str).zip(0_u32..).collect();
        let other_users: HashMap<&str, usize> = other.users.iter().map(String::as_str).zip(0..).collect();
        let renamed: Vec<Option<u32>> = other
            .permissions
            .iter()
            .map(|name| permission_ids.get(name.as_str()).copied())
            .collect();
        self.users
            .iter()
            .map(|name| {
                let row = other_users.get(name.as_str()).and_then(|&u| other.rows.get(u));
                let mut row: Vec<u32> = row
                    .into_iter()
                    .flatten()
                    .filter_map(|&p| renamed.get(p as usize).copied().flatten())
                    .collect();
                row.sort_unstable();
                row.dedup();
                row
            })
            .collect()
    }

    /// The rows of `other` as sets of this matrix's permissions, matched by name, whatever its users are called: for existing roles,
    /// a line each. A set with a permission that this matrix does not know comes out empty: it could not be used without adding it.
    pub fn translate_sets(&self, other: &Matrix) -> Vec<Vec<u32>> {
        let ids: HashMap<&str, u32> = self.permissions.iter().map(String::as_str).zip(0_u32..).collect();
        let renamed: Vec<Option<u32>> = other
            .permissions
            .iter()
            .map(|name| ids.get(name.as_str()).copied())
            .collect();
        let set = |row: &Vec<u32>| -> Option<Vec<u32>> {
            let mut set: Vec<u32> = row
                .iter()
                .map(|&p| renamed.get(p as usize).copied().flatten())
                .collect::<Option<_>>()?;
            set.sort_unstable();
            Some(set)
        };
        other.rows.iter().map(|row| set(row).unwrap_or_default()).collect()
    }
}

fn check_word(word: &str, line: usize) -> Result<(), MatrixError> {
    if word.chars().any(char::is_control) {
        return Err(MatrixError::ControlCharacter {
            line,
            token: word.escape_default().take(60).collect(),
        });
    }
    Ok(())
}

fn intern<'a>(
    name: &'a str,
    ids: &mut HashMap<&'a str, u32>,
    names: &mut Vec<String>,
    line: usize,
) -> Result<u32, MatrixError> {
    if let Some(&id) = ids.get(name) {
        return Ok(id);
    }
    let id = u32::try_from(names.len()).map_err(|_| MatrixError::TooLarge { line, limit: u32::MAX })?;
    ids.insert(name, id);
    names.push(name.to_owned());
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_comments_blanks_doubles_and_empty_users() {
        let text = "# head\n\nann read write read # tail\nbob\r\nann list\n";
        let m = Matrix::read_upa(text).unwrap();
        assert_eq!(m.users, ["ann", "bob"]);
        assert_eq!(m.permissions, ["read", "write", "list"]);
        assert_eq!(m.rows, vec![vec![0, 1, 2], vec![]]);
        assert_eq!(m.ones(), 3);
        assert!(m.has(0, 2) && !m.has(1, 2) && !m.has(9, 0));
    }

    #[test]
    fn says_where_the_text_is_wrong() {
        assert_eq!(Matrix::read_upa("# nothing\n"), Err(MatrixError::Empty));
        let error = Matrix::read_upa("ann read\nb\u{1}b write").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn translation_goes_by_name() {
        let m = Matrix::read_upa("ann read write\nbob write\n").unwrap();
        let other = Matrix::read_upa("bob extra read\nzoe write\nann write\n").unwrap();
        assert_eq!(m.translate(&other), vec![vec![1], vec![0]]);
        assert_eq!(m.translate_sets(&other), vec![vec![], vec![1], vec![1]]);
    }
}
