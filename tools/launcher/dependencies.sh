# shellcheck shell=sh
# Runs `npm ci` when package-lock.json (or Node's major version) is not the one node_modules was made from.

install_dependencies() {
  stamp=$root/node_modules/.spillway-lock
  wanted="$(lock_sha256) node $node_major"
  ! dependencies_ready || return 0
  # npm ci empties what the link leads to, and others may be using that.
  [ ! -L "$root/node_modules" ] ||
    fail "$root/node_modules is a link, and what it leads to was not made from this package-lock.json" "Run ./spillway --version in the repository it belongs to: $(readlink "$root/node_modules")"
  command -v npm >/dev/null ||
    fail "npm is needed to install the dependencies, and there is none on PATH" "Install npm (it comes with Node from https://nodejs.org; Debian: apt install npm), then run the same command again."
  prepare_cache
  acquire "$root/.spillway.lock" "the dependencies"
  if ! dependencies_ready; then
    rm -f "$stamp"
    run_shown "dependencies, with npm ci" "$cache/logs/dependencies.log" no_detail npm_ci
    [ "$status" -eq 0 ] || explain_log "npm ci" "$cache/logs/dependencies.log" "Run the same command again; if it fails again, the log says more."
    printf '%s\n' "$wanted" >"$stamp" || fail "can't write $stamp" "Free some space, then run the same command again."
  fi
  release
}

npm_ci() { (cd "$root" && npm ci --no-audit --no-fund); }

dependencies_ready() {
  [ -f "$stamp" ] && read -r stamped <"$stamp" && [ "$stamped" = "$wanted" ]
}

lock_sha256() {
  [ -r "$root/package-lock.json" ] || fail "package-lock.json is missing in $root" "Get it back: git checkout package-lock.json"
  if command -v sha256sum >/dev/null; then sum=$(sha256sum <"$root/package-lock.json"); else sum=$(shasum -a 256 <"$root/package-lock.json"); fi
  echo "${sum%% *}"
}
