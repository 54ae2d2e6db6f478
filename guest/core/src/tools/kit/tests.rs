//! Shapes are total.

use serde_json::{Value, json};

use super::{Key, Kind, Shape};

const INNER: Shape = Shape(&[Key::pluck("name", "/name", Kind::Text, "x")]);
const SHAPE: Shape = Shape(&[
    Key::pluck("text", "/text", Kind::Text, "x"),
    Key::pluck("deep", "/a/b/0", Kind::Number, "x"),
    Key::pluck("flag", "/flag", Kind::Flag, "x"),
    Key::pluck("time", "/time", Kind::Time, "x"),
    Key::pluck("names", "/items", Kind::Texts("/name"), "x"),
    Key::pluck("object", "/object", Kind::Object(&INNER), "x"),
    Key::pluck("each", "/items", Kind::Each(&INNER), "x"),
    Key::own("own", Kind::Text, "x"),
]);

#[test]
fn keeps_what_is_declared_and_nothing_else() {
    let found = SHAPE.of(&json!({
        "text": "t", "a": { "b": [7] }, "flag": false, "time": "2026-01-01T00:00:00Z", "email": "x@example.test",
        "items": [{ "name": "one", "secret": 1 }, { "name": null }], "object": { "name": "o", "other": 1 },
        "own": "not ours",
    }));
    let expected = json!({
        "text": "t", "deep": 7, "flag": false, "time": "2026-01-01T00:00:00Z", "names": ["one"],
        "object": { "name": "o" }, "each": [{ "name": "one" }, {}],
    });
    assert_eq!(Value::Object(found), expected);
}

#[test]
fn null_missing_and_mistyped_fields_fail_nothing() {
    for object in [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({ "text": null, "a": null, "flag": null, "time": null, "items": null, "object": null }),
        json!({ "text": 1, "a": { "b": [1.5] }, "flag": "x", "time": 3, "items": {}, "object": [] }),
    ] {
        assert_eq!(Value::Object(SHAPE.of(&object)), json!({ "names": [], "each": [] }), "{object}");
    }
}

#[test]
fn the_ways_to_say_never_are_left_out() {
    for never in ["", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
        assert_eq!(SHAPE.of(&json!({ "time": never })).get("time"), None, "{never}");
    }
}

#[test]
fn what_a_shape_keeps_fits_its_schema() {
    let schema = SHAPE.output_schema();
    let value = Value::Object(SHAPE.of(&json!({ "text": "t", "items": [{ "name": "n" }] })));
    crate::tools::fake::fits(&value, &schema, "shape");
    assert_eq!(schema.pointer("/properties/each/items/properties/name/type"), Some(&json!("string")));
    assert_eq!(schema.pointer("/properties/truncated/type"), Some(&json!("boolean")));
}
