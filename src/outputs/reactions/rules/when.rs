//! Conditions: expressions over the values of an event. A value that is missing is false.

use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};

use super::language::{self, environment, reason};

/// Conditions, each named by its source.
#[derive(Debug)]
pub struct Conditions(Environment<'static>);

impl Default for Conditions {
    fn default() -> Self {
        Self(environment(UndefinedBehavior::Chainable))
    }
}

impl Conditions {
    /// Compiles a condition.
    ///
    /// # Errors
    /// What is wrong, and a proposal.
    pub fn add(&mut self, source: &str) -> Result<(), (String, Option<String>)> {
        language::check_expression(source)?;
        let wrong = |error: minijinja::Error| (format!("the expression does not compile: {}", reason(&error)), None);
        self.0.compile_expression_owned(source.to_owned()).map_err(wrong)?;
        let template = format!("{{% if {source} %}}1{{% endif %}}");
        self.0.add_template_owned(source.to_owned(), template).map_err(wrong)
    }

    /// The values that a condition uses, such as `event.viewers`.
    #[must_use]
    pub fn names(&self, source: &str) -> Vec<String> {
        language::names(&self.0, source)
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// Why it can't be evaluated.
    pub fn holds(&self, source: &str, values: &Value) -> Result<bool, String> {
        let rendered = self.0.get_template(source).and_then(|template| template.render(values.clone()));
        rendered.map(|text| !text.is_empty()).map_err(|error| reason(&error))
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn holds(source: &str) -> Result<bool, String> {
        let mut conditions = Conditions::default();
        conditions.add(source).map_err(|(error, _)| error)?;
        let event = context! { total => 5, tier => "1000", is_anonymous => false, none => () };
        conditions.holds(source, &context! { event })
    }

    #[test]
    fn condition_is_evaluated() {
        assert_eq!(holds("event.total >= 1 and not event.is_anonymous"), Ok(true));
        assert_eq!(holds("event.total > 5"), Ok(false));
        assert_eq!(holds("event.tier in ['1000', '2000']"), Ok(true));
        assert_eq!(holds("event.tier == '%}' or event.total is odd"), Ok(true));
    }

    #[test]
    fn missing_value_is_false() {
        assert_eq!(holds("event.viewers"), Ok(false));
        assert_eq!(holds("event.viewers >= 3"), Ok(false));
        assert_eq!(holds("event.a.b.c == 3"), Ok(false));
        assert_eq!(holds("event.none"), Ok(false));
        assert_eq!(holds("not event.viewers"), Ok(true));
    }

    #[test]
    fn source_that_is_no_expression_is_refused() {
        for wrong in ["", "event.total >=", "true %}{{ event }}{% if true", "a b"] {
            assert!(holds(wrong).unwrap_err().contains("does not compile"), "{wrong}");
        }
    }
}
