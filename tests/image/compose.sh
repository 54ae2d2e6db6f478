# Sourced by parts: `by_compose` is podman-compose over the podman of these tests.
compose=$PWD/target/image/compose
cmp -s "$here/requirements.txt" "$compose/.installed" || {
    python3 -m venv --clear "$compose"
    "$compose/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$compose/.installed"
}
printf '#!/bin/bash\nexec podman --root %q --runroot %q --storage-driver vfs --cgroup-manager cgroupfs --runtime runc --events-backend none "$@"\n' \
    "$storage/root" "$storage/run" >"$work/podman-here"
chmod +x "$work/podman-here"
by_compose() { "$compose/bin/podman-compose" --podman-path "$work/podman-here" "$@"; }
config() { by_compose "$@" config; }
