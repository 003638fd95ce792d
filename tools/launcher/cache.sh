# shellcheck shell=sh
# Where what is fetched once is kept: outside the repository, shared by all clones of one user.

# Sets $cache, an absolute path.
choose_cache() {
  cache=${SPILLWAY_CACHE:-${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}/spillway}
  case $cache in
    /spillway) fail "neither HOME nor SPILLWAY_CACHE is set" "Set SPILLWAY_CACHE to a directory for downloads, e.g. SPILLWAY_CACHE=/var/tmp/spillway" ;;
    /*) ;;
    *) cache=$PWD/$cache ;;
  esac
}

# Called before something is installed; a warm start writes nothing.
prepare_cache() {
  if mkdir -p "$cache/logs" 2>/dev/null && [ -w "$cache" ]; then return; fi
  fail "can't write to $cache" "Set SPILLWAY_CACHE to a directory you can write to."
}
