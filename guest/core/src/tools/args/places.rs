//! Names of places that are neither a repository nor in one: an organisation; and branches as both ends of a
//! pull request, each under a field name of its own.

use serde_json::{Map, json};

use super::names::{Ref, name, name_schema};
use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// Longest name of a branch in bytes.
const BRANCH_BYTES: usize = 255;

/// A branch of the very repository that the call is about. Gitea reads `owner:branch` as a branch of another
/// repository, which the policy was not asked about, so that form is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Branch(pub(in crate::tools) String);

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Organisation(pub(in crate::tools) String);

impl Arg for Branch {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": BRANCH_BYTES }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let given = arguments.string(name)?;
        if given.contains(':') {
            let message = "must be a branch of this repository, without `:`; `owner:branch` would be one of \
                           another repository, and pull requests from there cannot be opened here";
            return Err(ArgumentError::new(name, message));
        }
        // Otherwise the rules of every ref, told under this field's name.
        let mut alone = Arguments::new(Map::from_iter([("ref".to_owned(), given.into())]));
        let Ref(branch) =
            Ref::from_args("ref", &mut alone).map_err(|error| ArgumentError::new(name, error.message))?;
        Ok(Self(branch))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

impl Arg for Organisation {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, name_schema(), paragraph(doc))]
    }

    fn from_args(field: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        name(field, arguments.string(field)?).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Branch, Organisation};
    use crate::tools::kit::{Arg, Arguments};

    fn taken<T: Arg>(field: &'static str, value: Value) -> Result<T, String> {
        let map = [(field.to_owned(), value)].into_iter().collect();
        T::from_args(field, &mut Arguments::new(map)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_branch_of_another_repository_is_refused_and_told_why() {
        for other in ["mallory:main", "mallory/secret:main", ":main", "main:"] {
            let message = taken::<Branch>("head", json!(other)).unwrap_err();
            assert!(message.starts_with("`head`") && message.contains("another repository"), "{message}");
        }
    }

    #[test]
    fn a_branch_keeps_to_the_rules_of_refs_under_its_own_name() {
        for good in ["main", "feature/one", "a.b-c_d", "übung"] {
            assert_eq!(taken("base", json!(good)), Ok(Branch(good.to_owned())));
        }
        for bad in [
            "", "-x", "/x", "x/", "a..b", "a b", "a~1", "a^", "a?", "a*", "a[", "a\\b", "a@{1}", "a//b",
            "a\0",
        ] {
            let message = taken::<Branch>("base", json!(bad)).unwrap_err();
            assert!(message.starts_with("`base` must"), "{bad:?}: {message}");
        }
        assert!(taken::<Branch>("base", json!("x".repeat(256))).is_err());
        assert_eq!(taken::<Branch>("base", json!(7)), Err("`base` must be a string".to_owned()));
    }

    #[test]
    fn an_organisation_is_a_plain_name() {
        assert_eq!(taken("org", json!("acme-2.x_y")), Ok(Organisation("acme-2.x_y".to_owned())));
        for bad in ["", ".", "..", "a/b", "a b", "acme%2Frepos", "ä", "a?sudo=root"] {
            assert!(taken::<Organisation>("org", json!(bad)).is_err(), "{bad:?}");
        }
    }
}
