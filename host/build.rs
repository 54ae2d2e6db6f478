//! Makes the typed settings of the host from `settings.toml`: a row for each setting, a reader, an accessor. And packs the
//! manual that `aegis-mcp docs` prints.

#[path = "build/manual.rs"]
mod manual;

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    compose: Vec<String>,
    setting: Vec<Setting>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    name: String,
    r#type: String,
    #[serde(default)]
    default: String,
    #[serde(default = "never")]
    required: String,
    reader: String,
    section: String,
    doc: String,
    #[serde(default)]
    only_checked: bool,
    #[serde(default)]
    seed: bool,
    example: Option<String>,
    items: Option<String>,
    #[serde(default)]
    min: u64,
    #[serde(default)]
    max: u64,
    #[serde(default)]
    values: Vec<String>,
}

fn never() -> String {
    "never".to_owned()
}

/// How one setting looks in Rust.
struct Shape {
    /// The type of the value.
    owned: String,
    /// What the accessor hands out.
    lent: String,
    /// Appended to `self.values.name` by the accessor.
    lend: &'static str,
    /// An expression that parses text.
    parse: String,
    /// What is allowed, for people.
    allowed: String,
}

fn main() -> Outcome<()> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..");
    let out = env::var("OUT_DIR")?;
    manual::pack(&root.join("docs"), &Path::new(&out).join("manual.gz"))?;
    let table = root.join("settings.toml");
    println!("cargo::rerun-if-changed={}", table.display());
    let table: Table = toml::from_str(&fs::read_to_string(table)?)?;
    let mut code = Code::default();
    for setting in &table.setting {
        code.add(setting)?;
    }
    fs::write(Path::new(&out).join("settings.rs"), code.whole(&table)?)?;
    Ok(())
}

/// The pieces of generated code, each growing with every setting.
#[derive(Default)]
struct Code {
    /// Constants and enums.
    items: String,
    /// Reading, in the order of the table.
    reads: String,
    /// The fields of `Draft`: what the host keeps while it checks.
    draft: String,
    /// Their names.
    kept: String,
    /// The fields of `Values`: what the host uses afterwards.
    values: String,
    /// How each gets from one to the other.
    complete: String,
    accessors: String,
}

impl Code {
    fn add(&mut self, setting: &Setting) -> Outcome<()> {
        let Setting { name, default, doc, .. } = setting;
        let shape = shape(setting)?;
        row(&mut self.items, setting, &shape.allowed)?;
        let method = match setting.r#type.as_str() {
            "list" | "keys" => "all",
            _ if setting.required == "always" || !default.is_empty() => "one",
            _ => "perhaps",
        };
        let (field, owned) = (name.to_lowercase(), wrap(method, &shape.owned));
        let read = format!("reading.{method}(&{name}, {})", shape.parse);
        if setting.reader == "guest" && !setting.only_checked {
            // The host has no use for the value and still says at once when it is wrong.
            writeln!(self.reads, "        let _: Option<{owned}> = {read};")?;
            return Ok(());
        }
        if setting.r#type == "enum" {
            choices(&mut self.items, setting)?;
        }
        writeln!(self.reads, "        let {field} = {read};")?;
        writeln!(self.draft, "    {field}: Option<{owned}>,")?;
        write!(self.kept, "{field}, ")?;
        if setting.only_checked {
            return Ok(());
        }
        writeln!(self.values, "    {field}: {owned},")?;
        write!(self.complete, "{field}: self.{field}?, ")?;
        if setting.r#type == "schedule" {
            // All of them are handed out together, by job.
            return Ok(());
        }
        let (lent, lend) = match (method, shape.lend) {
            ("perhaps", ".as_str()" | ".as_path()") => (wrap(method, &shape.lent), ".as_deref()"),
            ("perhaps", "&") => (wrap(method, &shape.lent), ".as_ref()"),
            ("perhaps", "") => (wrap(method, &shape.lent), ""),
            ("perhaps", lend) => return Err(format!("{name}: lend an optional value by {lend}?").into()),
            (_, lend) => (shape.lent, lend),
        };
        let (by, lend) = if lend == "&" { ("&", "") } else { ("", lend) };
        writeln!(self.accessors, "    /// `{name}`: {doc}\n    #[must_use]")?;
        writeln!(self.accessors, "    pub(crate) fn {field}(&self) -> {lent} {{")?;
        writeln!(self.accessors, "        {by}self.values.{field}{lend}\n    }}\n")?;
        Ok(())
    }

    /// The table, the two structs and their functions.
    fn whole(self, table: &Table) -> Outcome<String> {
        let Self { mut items, reads, draft, kept, values, complete, accessors } = self;
        let rows: Vec<&str> = table.setting.iter().map(|row| row.name.as_str()).collect();
        let seed: Vec<&str> =
            table.setting.iter().filter(|row| row.seed).map(|row| row.name.as_str()).collect();
        let examples =
            table.setting.iter().filter_map(|row| Some((row.name.as_str(), row.example.as_deref()?)));
        let examples: Vec<(&str, &str)> = examples.collect();
        let out = &mut items;
        writeln!(out, "/// Every setting, in the order of the documentation.")?;
        writeln!(out, "const TABLE: &[&Setting] = &[&{}];", rows.join(", &"))?;
        writeln!(out, "/// Names that the compose files read from the same file.")?;
        writeln!(out, "const COMPOSE: &[&str] = &{:?};", table.compose)?;
        writeln!(out, "#[cfg(test)]\nconst SEED: &[&str] = &{seed:?};")?;
        writeln!(out, "#[cfg(test)]\nconst EXAMPLES: &[(&str, &str)] = &{examples:?};\n")?;
        writeln!(out, "/// The values that could be read.\nstruct Draft {{\n{draft}}}\n")?;
        writeln!(
            out,
            "/// Every value that the host uses.\n#[derive(Debug)]\nstruct Values {{\n{values}}}\n"
        )?;
        writeln!(out, "impl Draft {{\n    fn read(reading: &mut Reading<'_>) -> Self {{")?;
        writeln!(out, "{reads}        Self {{ {kept} }}\n    }}\n")?;
        writeln!(out, "    fn complete(self) -> Option<Values> {{")?;
        writeln!(out, "        Some(Values {{ {complete} }})\n    }}\n}}\n")?;
        let schedules = table.setting.iter().filter(|row| row.r#type == "schedule");
        let (mut names, mut held) = (String::new(), String::new());
        for Setting { name, .. } in schedules {
            let field = name.to_lowercase();
            let job = field.strip_prefix("automation_schedule_").ok_or("a schedule is that of a job")?;
            write!(names, "{name:?}, ")?;
            write!(held, "({job:?}, self.values.{field}.as_ref()), ")?;
        }
        writeln!(out, "/// The settings that hold a schedule.")?;
        writeln!(out, "pub(crate) const SCHEDULES: &[&str] = &[{names}];\n")?;
        writeln!(out, "impl Settings {{\n    /// Every job, with its schedule where it has one.")?;
        writeln!(
            out,
            "    #[must_use]\n    pub(crate) fn schedules(&self) -> Vec<(&'static str, Option<&Schedule>)> {{"
        )?;
        writeln!(out, "        vec![{held}]\n    }}\n}}\n")?;
        writeln!(out, "impl Draft {{\n    /// The same before the settings are known to be whole.")?;
        writeln!(out, "    fn schedules(&self) -> Vec<(&'static str, bool)> {{")?;
        writeln!(
            out,
            "        vec![{}]\n    }}\n}}\n",
            held.replace("self.values.", "self.")
                .replace(".as_ref())", ".as_ref().is_some_and(Option::is_some))")
        )?;
        writeln!(
            out,
            "/// One function for each setting that the host uses.\nimpl Settings {{\n{accessors}}}"
        )?;
        Ok(items)
    }
}

/// The constant that describes one setting.
fn row(rows: &mut String, setting: &Setting, allowed: &str) -> Outcome<()> {
    let Setting { name, default, required, reader, section, doc, .. } = setting;
    let secret = matches!(setting.r#type.as_str(), "secret" | "keys");
    let for_guest = match setting.reader.as_str() {
        "host" => false,
        "guest" | "both" if !secret => true,
        other => return Err(format!("{name}: reader {other}").into()),
    };
    writeln!(
        rows,
        "const {name}: Setting = Setting {{ name: {name:?}, allowed: {allowed:?}, default: {default:?}, \
         required: {required:?}, section: {section:?}, doc: {doc:?}, secret: {secret}, \
         reader: {reader:?}, for_guest: {for_guest} }};"
    )?;
    Ok(())
}

fn shape(setting: &Setting) -> Outcome<Shape> {
    let Setting { name, min, max, values, .. } = setting;
    let new = |owned: &str, lent: &str, lend, parse: &str, allowed: &str| Shape {
        owned: owned.to_owned(),
        lent: lent.to_owned(),
        lend,
        parse: parse.to_owned(),
        allowed: allowed.to_owned(),
    };
    let list = |owned: &str, item: &str, allowed: &str| {
        let parse = format!("|text| rule::list(text, {item})");
        new(&format!("Vec<{owned}>"), &format!("&[{owned}]"), ".as_slice()", &parse, allowed)
    };
    Ok(match (setting.r#type.as_str(), setting.items.as_deref()) {
        ("bool", _) => new("bool", "bool", "", "rule::flag", "true or false"),
        (width @ ("u16" | "u32" | "u64"), _) => {
            let parse = format!("|text| rule::integer::<{width}>(text, {min}, {max})");
            new(width, width, "", &parse, &format!("{min} to {max}"))
        }
        ("address", _) => new("IpAddr", "IpAddr", "", "rule::address", "IP address or localhost"),
        ("socket", _) => {
            new("SocketAddr", "SocketAddr", "", "socket", "address with a port, such as 127.0.0.1:9090")
        }
        ("syslog", _) => new(
            "SyslogAddress",
            "&SyslogAddress",
            "&",
            "SyslogAddress::parse",
            "udp, tcp or tls address with a port, or unix:/path",
        ),
        ("url", _) => new("String", "&str", ".as_str()", "rule::url", "http or https address"),
        ("origin", _) => {
            new("String", "&str", ".as_str()", "rule::origin", "http or https address without a path")
        }
        ("enum", _) => {
            let allowed = values.join(", ");
            if setting.reader == "guest" {
                let words: Vec<String> = values.iter().map(|value| format!("({value:?}, ())")).collect();
                let parse = format!("|text| rule::choice(text, &[{}])", words.join(", "));
                new("()", "()", "", &parse, &allowed)
            } else {
                let kind = camel(name);
                new(&kind, &kind, "", &format!("|text| rule::choice(text, {kind}::CHOICES)"), &allowed)
            }
        }
        ("list", Some("network")) => list("IpNet", "network", "list of addresses and networks"),
        ("list", Some("host")) => list("String", "rule::host", "list of host names"),
        ("list", Some("origin")) => list("String", "rule::origin", "list of addresses without a path"),
        ("list", Some("repository")) => {
            list("(String, String)", "rule::repository", "list of owner/repo or owner/*")
        }
        ("list", Some("redirect")) => list("String", "rule::redirect", "list of exact redirect URIs"),
        ("list", Some("word")) => list("String", "rule::word", "list of words"),
        ("word", _) => new("String", "&str", ".as_str()", "rule::word", "one word"),
        ("schedule", _) => {
            new("Schedule", "&Schedule", "&", "Schedule::parse", "five fields of cron, in UTC")
        }
        ("ratio", _) => new("Ratio", "Ratio", "", "Ratio::parse", "0 to 1"),
        ("version", _) => new("Number", "Number", "", "version", "version such as 1.26.2"),
        ("path", _) => new("PathBuf", "&Path", ".as_path()", "path", "path"),
        ("secret", _) => new("Secret", "&Secret", "&", "secret::token", "secret"),
        ("keys", _) => new("Vec<ApiKey>", "&[ApiKey]", ".as_slice()", "secret::api_keys", "secret list"),
        (other, items) => return Err(format!("{name}: unknown type {other} {items:?}").into()),
    })
}

fn wrap(method: &str, kind: &str) -> String {
    if method == "perhaps" { format!("Option<{kind}>") } else { kind.to_owned() }
}

/// The enum of a setting that is one word of several.
fn choices(code: &mut String, setting: &Setting) -> Outcome<()> {
    let kind = camel(&setting.name);
    writeln!(code, "/// The words of `{}`.", setting.name)?;
    writeln!(code, "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub(crate) enum {kind} {{")?;
    for value in &setting.values {
        writeln!(code, "    /// `{value}`.\n    {},", camel(value))?;
    }
    writeln!(code, "}}\n\nimpl {kind} {{\n    const CHOICES: &[(&str, Self)] = &[")?;
    for value in &setting.values {
        writeln!(code, "        ({value:?}, Self::{}),", camel(value))?;
    }
    writeln!(code, "    ];\n}}\n")?;
    Ok(())
}

/// `LOG_LEVEL` or `durable` as a type or variant name.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + &rest.to_lowercase()
    };
    name.split('_').map(word).collect()
}
