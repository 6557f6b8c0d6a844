//! Which operation a request is for.

use std::future::Future;
use std::pin::Pin;

use http::Method;

use super::call::Call;
use super::query::unescaped;
use super::realm::Realm;
use crate::admin::problem::{Answer, Problem};
use crate::admin::rights::Right;

/// A resource of the interface: what can be done, and how that is described to programs.
pub(super) struct Resource {
    /// What can be done.
    pub(super) operations: &'static [Operation],
    /// Its part of the OpenAPI document: `{"paths": …, "schemas": …}`.
    pub(super) description: &'static str,
}

/// Something that can be asked or ordered.
pub(super) struct Operation {
    /// How.
    pub(super) method: Method,
    /// Where below `/api/v1/`; a segment in braces is a parameter.
    pub(super) path: &'static str,
    /// Who may.
    pub(super) right: Right,
    /// What may stand behind the `?`.
    pub(super) query: &'static [&'static str],
    /// What may be sent along.
    pub(super) takes: Takes,
    /// Whether it may be ordered while all that changes stands still.
    pub(super) even_frozen: bool,
    /// What it is about, for whoever has a role for some organisations alone.
    pub(super) realm: Option<Realm>,
    /// Does it.
    pub(super) run: Run,
}

/// Does an operation.
pub(super) type Run = fn(Call) -> Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

/// What an operation reads of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Takes {
    /// Nothing; what comes all the same is passed over.
    Nothing,
    /// A JSON document.
    Json,
    /// A form with files (RFC 7578), whose parts have these names.
    Form(&'static [&'static str]),
}

impl Operation {
    /// A question.
    pub(super) const fn get(path: &'static str, run: Run) -> Self {
        Self::new(Method::GET, Right::Read, path, run)
    }

    /// An order.
    pub(super) const fn post(path: &'static str, run: Run) -> Self {
        Self::new(Method::POST, Right::Operate, path, run)
    }

    /// An order that something is changed.
    pub(super) const fn patch(path: &'static str, run: Run) -> Self {
        Self::new(Method::PATCH, Right::Operate, path, run)
    }

    /// An order that something goes.
    pub(super) const fn delete(path: &'static str, run: Run) -> Self {
        Self::new(Method::DELETE, Right::Operate, path, run)
    }

    const fn new(method: Method, right: Right, path: &'static str, run: Run) -> Self {
        Self { method, path, right, query: &[], takes: Takes::Nothing, even_frozen: false, realm: None, run }
    }

    /// The same, and these may stand behind the `?`.
    pub(super) const fn asking(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    /// The same, and this is what it is about.
    pub(super) const fn about(mut self, realm: Realm) -> Self {
        self.realm = Some(realm);
        self
    }

    /// The same with a body.
    pub(super) const fn taking(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// The same, and while all that changes stands still too.
    pub(super) const fn even_frozen(mut self) -> Self {
        self.even_frozen = true;
        self
    }

    /// The same for others than usual.
    pub(super) const fn with_right(mut self, right: Right) -> Self {
        self.right = right;
        self
    }
}

/// An operation, and what the path says of its object.
pub(super) struct Match {
    pub(super) operation: &'static Operation,
    pub(super) parameters: Vec<(&'static str, String)>,
}

/// Finds who answers for `path`, which is the one below `/api/v1/`. A HEAD is a GET whose content is kept back.
pub(super) fn find(resources: &[&'static Resource], method: &Method, path: &str) -> Result<Match, Found> {
    let operations = || resources.iter().flat_map(|resource| resource.operations);
    let there: Vec<_> =
        operations().filter_map(|operation| Some((operation, parameters(operation.path, path)?))).collect();
    // A fixed word goes before a parameter: `certificates/expired` is not the certificate of that name.
    let Some(fewest) = there.iter().map(|(_, parameters)| parameters.len()).min() else { return Err(Found::Nothing) };
    let (mut allowed, mut matched) = (Vec::new(), None);
    for (operation, parameters) in there.into_iter().filter(|(_, parameters)| parameters.len() == fewest) {
        allowed.push(operation.method.as_str());
        if operation.method == Method::GET {
            allowed.push(Method::HEAD.as_str());
        }
        if operation.method == *method || (operation.method == Method::GET && *method == Method::HEAD) {
            matched = Some(Match { operation, parameters });
        }
    }
    matched.ok_or_else(|| Found::Other(allowed.join(", ")))
}

/// What there is where no operation is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// Other methods.
    Other(String),
}

/// The parameters of a path that a pattern fits.
pub(in crate::admin) fn parameters(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => found.push((name, unescaped(given).filter(|value| !value.is_empty())?)),
                None if wanted == given => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SHELVES: Resource = Resource {
        operations: &[
            Operation::get("books", |_| unreachable!()),
            Operation::post("books", |_| unreachable!()),
            Operation::get("books/lost", |_| unreachable!()),
            Operation::delete("books/{book}", |_| unreachable!()),
            Operation::get("books/{book}/pages/{page}", |_| unreachable!()),
        ],
        description: "{}",
    };

    fn found(method: Method, path: &str) -> Result<(&'static str, Vec<String>), Found> {
        let found = find(&[&SHELVES], &method, path)?;
        Ok((found.operation.path, found.parameters.into_iter().map(|(_, value)| value).collect()))
    }

    #[test]
    fn an_operation_is_found_by_method_and_path() {
        assert_eq!(found(Method::GET, "books"), Ok(("books", vec![])));
        assert_eq!(found(Method::HEAD, "books"), Ok(("books", vec![])));
        assert_eq!(found(Method::DELETE, "books/a%2Fb"), Ok(("books/{book}", vec!["a/b".into()])));
        let page = Ok(("books/{book}/pages/{page}", vec!["7".into(), "8".into()]));
        assert_eq!(found(Method::GET, "books/7/pages/8"), page);
        assert_eq!(found(Method::GET, "books/lost"), Ok(("books/lost", vec![])));
    }

    #[test]
    fn what_is_not_there_is_told_apart_from_what_cannot_be_done() {
        for path in ["", "books/", "books/7/pages", "books/%FF", "Books", "books//pages/8"] {
            assert_eq!(found(Method::GET, path), Err(Found::Nothing), "{path}");
        }
        assert_eq!(found(Method::DELETE, "books"), Err(Found::Other("GET, HEAD, POST".into())));
        assert_eq!(found(Method::HEAD, "books/7"), Err(Found::Other("DELETE".into())));
        assert_eq!(found(Method::DELETE, "books/lost"), Err(Found::Other("GET, HEAD".into())));
    }
}
