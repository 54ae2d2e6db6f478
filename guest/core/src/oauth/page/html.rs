//! HTML that is right by construction: text and attribute values are escaped where they are put in, names of
//! tags and attributes are constants, and what is opened is closed. There is no way to put in markup as text.

/// An element and what is in it.
#[derive(Clone, Debug)]
pub(in crate::oauth) struct Element {
    tag: &'static str,
    attributes: String,
    content: String,
}

/// Elements without content (HTML Living Standard, section 13.1.2).
const VOID: [&str; 4] = ["br", "input", "meta", "wbr"];

/// A new element.
pub(in crate::oauth) fn el(tag: &'static str) -> Element {
    Element { tag, attributes: String::new(), content: String::new() }
}

/// An element with a class.
pub(in crate::oauth) fn classed(tag: &'static str, class: &'static str) -> Element {
    el(tag).set("class", class)
}

/// An element that holds a text.
pub(in crate::oauth) fn saying(tag: &'static str, text: &str) -> Element {
    el(tag).text(text)
}

/// A name that somebody else chose. `bdi` keeps letters that run from right to left from moving what stands
/// beside them.
pub(in crate::oauth) fn name(text: &str) -> Element {
    saying("bdi", text)
}

/// A link. Its address is the settings' or was judged before.
pub(in crate::oauth) fn link(to: &str, text: &str) -> Element {
    el("a").set("href", to).text(text)
}

impl Element {
    /// With an attribute.
    pub(in crate::oauth) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.attributes.push(' ');
        self.attributes.push_str(name);
        self.attributes.push_str("=\"");
        escape(value, &mut self.attributes);
        self.attributes.push('"');
        self
    }

    /// With text at the end.
    pub(in crate::oauth) fn text(mut self, text: &str) -> Self {
        escape(text, &mut self.content);
        self
    }

    /// With an element at the end.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an element stands in one place; chains read without &"
    )]
    pub(in crate::oauth) fn put(mut self, child: Self) -> Self {
        child.write(&mut self.content);
        self
    }

    /// With elements at the end.
    pub(in crate::oauth) fn all(self, children: impl IntoIterator<Item = Self>) -> Self {
        children.into_iter().fold(self, Self::put)
    }

    /// With an address at the end, which may break after each part of it so that a narrow page needs no
    /// scrolling, and wherever it must.
    pub(in crate::oauth) fn address(mut self, address: &str) -> Self {
        for part in address.split_inclusive(['/', '?', '&']) {
            self = self.text(part).put(el("wbr"));
        }
        self
    }

    /// The `style` element: its content is the one constant that is not escaped, and holds no `<`.
    pub(super) fn stylesheet(css: &'static str) -> Self {
        Self { tag: "style", attributes: String::new(), content: css.to_owned() }
    }

    /// The document that this element is the root of.
    pub(super) fn document(&self) -> String {
        let mut out = "<!doctype html>\n".to_owned();
        self.write(&mut out);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.tag);
        out.push_str(&self.attributes);
        out.push('>');
        if !VOID.contains(&self.tag) {
            out.push_str(&self.content);
            out.push_str("</");
            out.push_str(self.tag);
            out.push('>');
        }
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A parser drops or replaces it; nothing shown here needs it.
            '\0' => out.push('\u{fffd}'),
            plain => out.push(plain),
        }
    }
}
