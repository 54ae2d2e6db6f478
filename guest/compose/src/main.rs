//! Build tool: `aegis-compose GATEWAY EDGE OUT` plugs the exports of the edge adapter into the imports of the
//! gateway, so that what comes out needs nothing but standard WASI. It must not change either component: it
//! only wires them, and refuses to write a component that would still ask for a capability of its own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

/// Interfaces that hold functions or resources. One that is still imported after plugging could be satisfied by
/// no standard runtime. `types` holds plain data only, so leaving it open asks nothing of a runtime.
const OURS: &str = "aegis:gateway/";
const PLAIN_DATA: &str = "aegis:gateway/types@";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [gateway, edge, out] = arguments.as_slice() else {
        return fail("usage: aegis-compose GATEWAY.wasm EDGE.wasm OUT.wasm", 2);
    };
    match compose(gateway, edge).and_then(|bytes| write(out, &bytes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&problem, 1),
    }
}

/// The composed component.
fn compose(gateway: &Path, edge: &Path) -> Result<Vec<u8>, String> {
    let mut graph = CompositionGraph::new();
    let gateway_id = register(&mut graph, "gateway", gateway)?;
    let edge_id = register(&mut graph, "edge", edge)?;

    let offered: Vec<String> = exports(&graph, edge_id);
    let missing: Vec<String> = imports(&graph, gateway_id)
        .into_iter()
        .filter(|name| name.starts_with(OURS) && !name.starts_with(PLAIN_DATA))
        .filter(|name| !offered.contains(name))
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "{} does not offer {}, which {} asks for; build both from the same checkout",
            edge.display(),
            missing.join(", "),
            gateway.display()
        ));
    }

    plug(&mut graph, vec![edge_id], gateway_id).map_err(|error| format!("cannot compose: {error}"))?;
    let bytes = graph
        .encode(EncodeOptions { define_components: true, validate: true, processor: None })
        .map_err(|error| format!("cannot encode the composed component: {error:#}"))?;
    // Plugging passes over an export whose type does not fit, so what came out is looked at once more.
    let left = open_imports(bytes.clone())?;
    if left.is_empty() {
        Ok(bytes)
    } else {
        Err(format!(
            "the types of {} differ between gateway and edge; build both from the same checkout",
            left.join(", ")
        ))
    }
}

fn register(graph: &mut CompositionGraph, name: &str, path: &Path) -> Result<wac_graph::PackageId, String> {
    let package = Package::from_file(name, None, path, graph.types_mut())
        .map_err(|error| format!("{}: {error:#}", path.display()))?;
    graph.register_package(package).map_err(|error| format!("{}: {error}", path.display()))
}

fn imports(graph: &CompositionGraph, package: wac_graph::PackageId) -> Vec<String> {
    let world = graph[package].ty();
    graph.types()[world].imports.keys().cloned().collect()
}

fn exports(graph: &CompositionGraph, package: wac_graph::PackageId) -> Vec<String> {
    let world = graph[package].ty();
    graph.types()[world].exports.keys().cloned().collect()
}

/// Capabilities that a component still asks for.
fn open_imports(bytes: Vec<u8>) -> Result<Vec<String>, String> {
    let mut graph = CompositionGraph::new();
    let package = Package::from_bytes("composed", None, bytes, graph.types_mut())
        .map_err(|error| format!("the composed component does not parse: {error:#}"))?;
    let package = graph.register_package(package).map_err(|error| error.to_string())?;
    let ours = |name: &String| name.starts_with(OURS) && !name.starts_with(PLAIN_DATA);
    Ok(imports(&graph, package).into_iter().filter(ours).collect())
}

/// Write beside the target and rename, so that a reader never sees half a component.
fn write(out: &Path, bytes: &[u8]) -> Result<(), String> {
    let mut name = out.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, out))
        .map_err(|error| format!("{}: {error}", out.display()))
}

fn fail(message: &str, code: u8) -> ExitCode {
    use std::io::Write as _;
    // Nothing is left to be told to if standard error is closed; the exit code says it too.
    let _ = writeln!(std::io::stderr(), "aegis-compose: {message}");
    ExitCode::from(code)
}
