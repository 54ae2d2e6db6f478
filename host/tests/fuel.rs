//! What redaction costs in the sandbox, in instructions: the same on every machine, so it can be asserted.
//!
//! `tests/meter` is the redactor alone, built as guests are. A text of 200 kB may cost ten times what 20 kB cost and
//! not much more, and 20 kB have a bound, ordinary source and what somebody made up to be dear.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is wrong")]

use std::path::{Path, PathBuf};

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

const SHORT: usize = 20_000;
const LONG: usize = 200_000;
/// Most instructions for 20 kB of ordinary source ...
const ORDINARY: u64 = 12_000_000;
/// ... and of anything.
const ANYTHING: u64 = 70_000_000;
/// The most that ten times as much may cost.
const RATIO: f64 = 10.5;
/// More than any measurement takes.
const TANK: u64 = 100_000_000_000;

struct Inside {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Inside {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

struct Meter {
    engine: Engine,
    component: Component,
    linker: Linker<Inside>,
}

impl Meter {
    fn new() -> Self {
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config).unwrap();
        let dist = std::env::var_os("AEGIS_DIST")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/dist"), PathBuf::from);
        let file = dist.join("meter.wasm");
        let component = Component::from_file(&engine, &file)
            .unwrap_or_else(|error| panic!("{}: run `make build` first: {error:#}", file.display()));
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        Self { engine, component, linker }
    }

    /// Instructions of a run, and what it found.
    fn run(&self, mode: &str, text: &str) -> (u64, String) {
        let said = MemoryOutputPipe::new(100);
        let ctx = WasiCtxBuilder::new()
            .stdin(MemoryInputPipe::new(format!("{mode}\n{text}")))
            .stdout(said.clone())
            .build();
        let mut store = Store::new(&self.engine, Inside { ctx, table: ResourceTable::new() });
        store.set_fuel(TANK).unwrap();
        let command = Command::instantiate(&mut store, &self.component, &self.linker).unwrap();
        command.wasi_cli_run().call_run(&mut store).unwrap().unwrap();
        let used = TANK - store.get_fuel().unwrap();
        (used, String::from_utf8(said.contents().to_vec()).unwrap())
    }

    /// What cleaning costs above reading.
    fn cleaning(&self, text: &str) -> (u64, String) {
        let (read, _) = self.run("read", text);
        let (all, found) = self.run("mask", text);
        assert!(all > read, "cleaning costs something");
        (all - read, found)
    }
}

/// `piece` again and again, up to so many bytes.
fn filled(piece: &str, bytes: usize) -> String {
    let mut text = piece.repeat(bytes.div_ceil(piece.len()));
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// Ordinary text of several kinds.
fn ordinary() -> Vec<&'static str> {
    vec![
        include_str!("../src/main.rs"),
        include_str!("../../Cargo.lock"),
        include_str!("../../docs/tools.md"),
        include_str!("../../guest/redaction/tests/data/ordinary.go.txt"),
    ]
}

/// Made up to be dear: starts without an end, ends without a start, what is found again and again.
fn dear() -> Vec<String> {
    let token = ["gh", "p_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
    let begin = ["-----BEGIN ", "PRIVATE KEY-----\n"].concat();
    let mut texts: Vec<String> = [
        "a",
        "-",
        "=",
        ".",
        "\n",
        "\\",
        "\"",
        "%",
        "\\n",
        "%3D",
        "\\u0022",
        "x://a:b@",
        "x://a:",
        "://",
        "eyJ",
        "eyJa.",
        "aegis_at_",
        "sk-",
        "key-",
        "password = \"",
        "password=",
        "token: ",
        "authorization: bearer a",
        "[redacted:",
        "[redacted:jwt]",
        "machine a login b password ",
        "Server=db;Password=",
        "\"auth\":\"",
        "AAAA",
        "c2stYW50LQ==\n",
        "abcd\\\n",
        "\"abc\" +\n\"",
        "\u{202e}",
        "\u{1b}[",
        "\u{1b}]0;",
        "a\u{200b}",
        "👩\u{200d}",
        "葛\u{fe00}",
        "\u{e0041}",
        "é",
        "日本",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend([
        token.clone(),
        format!("{token} "),
        format!("\"{token}\",\n"),
        token.chars().map(|c| format!("{c}\u{200b}")).collect(),
        begin.clone(),
        format!("{begin}MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n"),
        format!("{begin}-----END CERTIFICATE-----\n"),
        format!("a{token}"),
        "0123456789abcdef0123456789abcdef01234567".to_owned(),
        "Z2hwX2ExQjJjM0Q0ZTVGNmc3SDhpOUowazFMMm0zTjRvNVA2cTdSOA==".to_owned(),
        "Z2hwX2ExQjJjM0Q0ZTVGNmc3SDhpOUowazFMMm0zTjRvNVA2cTdSOA==\n".to_owned(),
        format!(
            "{}-----END PRIVATE KEY-----\n",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7aB3dE5gH7jK9\n".repeat(3)
        ),
    ]);
    // Plain words in wrapped Base64.
    let words = "aGVsbG8gcGxhaW4gd29yZHMgaW4gaGVyZSwg";
    for columns in [40, 56, 60, 64, 76] {
        let letters: Vec<char> = words.repeat(columns / 4).chars().collect();
        let lines = letters.chunks(columns).map(|line| line.iter().chain(&['\n']).collect::<String>());
        texts.push(lines.collect());
    }
    texts
}

#[test]
fn the_cost_of_redaction_is_linear_and_bounded() {
    let meter = Meter::new();
    let known = ordinary().into_iter().map(|text| (text.to_owned(), ORDINARY));
    for (piece, most) in known.chain(dear().into_iter().map(|text| (text, ANYTHING))) {
        let (short, _) = meter.cleaning(&filled(&piece, SHORT));
        let (long, _) = meter.cleaning(&filled(&piece, LONG));
        let (ratio, name) = (long as f64 / short as f64, piece.chars().take(30).collect::<String>());
        eprintln!("{short:10} {ratio:6.2} {name:?}");
        assert!(short <= most, "{short} instructions for {SHORT} bytes of {name:?}, and {most} are allowed");
        assert!(long <= 10 * most, "{long} instructions for {LONG} bytes of {name:?}");
        // Ordinary files are no repetition of their first 20 kB, so these are held to the bound alone.
        let linear = most == ORDINARY || ratio <= RATIO;
        assert!(linear, "ten times as much of {name:?} costs {ratio:.2} times as many instructions");
    }
}

#[test]
fn the_meter_finds_what_the_redactor_finds() {
    let meter = Meter::new();
    let token = ["gh", "p_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
    let text = format!("{token} and {token} \u{202e}");
    assert_eq!(meter.run("mask", &text).1, "2 1");
    assert_eq!(meter.run("off", &text).1, "0 1");
    assert_eq!(meter.run("read", &text).1, "0 0");
}
