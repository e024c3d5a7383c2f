//! Components: link buttons, and how many there may be
//! (<https://docs.discord.com/developers/components/reference>).

use serde_json::Value;

use super::form::{FormErrors, Object};

const MAX_ROWS: usize = 5;
const MAX_IN_ROW: usize = 5;
const MAX_LABEL: usize = 80;
const MAX_URL: usize = 512;
/// Limit of all components, nested ones too, of a message with `IS_COMPONENTS_V2`.
const MAX_V2: usize = 40;

const ROW: u64 = 1;
const BUTTON: u64 = 2;
const STYLE_LINK: u64 = 5;

/// The components of a body. `None` if the field is absent.
pub(super) fn components(body: &Object, is_v2: bool, is_of_app: bool, errors: &mut FormErrors) -> Option<Vec<Value>> {
    if !body.contains_key("components") {
        return None;
    }
    let max = if is_v2 { MAX_V2 } else { MAX_ROWS };
    let items = errors.list(body, "", "components", max).cloned().unwrap_or_default();
    if is_v2 && items.iter().map(count).sum::<usize>() > MAX_V2 {
        errors.add("components", "BASE_TYPE_MAX_LENGTH", format!("Must be {MAX_V2} or fewer in length."));
    }
    for (number, item) in items.iter().enumerate() {
        let path = format!("components.{number}");
        let Some(row) = errors.as_object(item, &path) else { continue };
        match row.get("type").and_then(Value::as_u64) {
            Some(ROW) => check_row(row, &path, is_of_app, errors),
            Some(_) if is_v2 => {}
            _ => errors.add(&format!("{path}.type"), "BASE_TYPE_CHOICES", "Value must be one of (1,)."),
        }
    }
    Some(items)
}

fn check_row(row: &Object, path: &str, is_of_app: bool, errors: &mut FormErrors) {
    let buttons = errors.list(row, path, "components", MAX_IN_ROW).map(Vec::as_slice).unwrap_or_default();
    if buttons.is_empty() {
        errors.add(
            &format!("{path}.components"),
            "BASE_TYPE_BAD_LENGTH",
            format!("Must be between 1 and {MAX_IN_ROW} in length."),
        );
    }
    for (number, item) in buttons.iter().enumerate() {
        let path = format!("{path}.components.{number}");
        let Some(button) = errors.as_object(item, &path) else { continue };
        let number = |name: &str| button.get(name).and_then(Value::as_u64);
        if (number("type"), number("style")) == (Some(BUTTON), Some(STYLE_LINK)) {
            errors.text(button, &path, "label", MAX_LABEL);
            errors.required_text(button, &path, "url", MAX_URL);
            errors.url(button, &path, "url", &["http", "https", "discord"]);
        } else if !is_of_app {
            let message = "Webhooks that no application owns can't send interactive components.";
            errors.add(&path, "APPLICATION_COMPONENT_NOT_ALLOWED", message);
        }
    }
}

/// The number of components in one, with itself.
fn count(component: &Value) -> usize {
    let nested = component["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    1 + nested.iter().map(count).sum::<usize>() + usize::from(component["accessory"].is_object())
}
