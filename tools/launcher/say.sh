# shellcheck shell=sh
# How the launcher speaks to the person who waits: one line a step on stderr, redrawn on a terminal; one clear error with its next step.

# fail MESSAGE HINT...: ends the launcher with an error, and the next steps under it.
fail() {
  printf 'spillway: %s\n' "$1" >&2
  shift
  for hint in "$@"; do printf '  %s\n' "$hint" >&2; done
  exit 1
}

note() { printf '  %s\n' "$1" >&2; }

# run_shown TITLE LOG DETAIL COMMAND...: runs the command with its output in LOG, saying every second on a terminal (else every 10 s)
# how long it has taken and what the function DETAIL prints. Returns the command's status in $status.
run_shown() {
  shown_title=$1 shown_log=$2 shown_detail=$3
  shift 3
  if ! : >"$shown_log"; then fail "can't write $shown_log" "Free some space, or set SPILLWAY_CACHE to a directory you can write to."; fi
  shown_start=$(date +%s)
  if [ -t 2 ]; then printf '  ◐ %s …' "$shown_title" >&2; else printf '  … %s\n' "$shown_title" >&2; fi
  tick &
  ticker=$!
  status=0
  "$@" >>"$shown_log" 2>&1 </dev/null || status=$?
  stop_ticker
  [ ! -t 2 ] || printf '\r\033[K' >&2
  [ "$status" -ne 0 ] || note "✓ $shown_title ($(shown_seconds) s)"
}

no_detail() { :; }

shown_seconds() { echo $(($(date +%s) - shown_start)); }

# The line that is drawn again and again. It ends with the launcher, however that ends.
tick() {
  trap - EXIT INT TERM HUP
  while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    shown_now=$(shown_seconds)
    if [ -t 2 ]; then
      printf '\r\033[K  ◐ %s … %s%s s' "$shown_title" "$("$shown_detail")" "$shown_now" >&2
    elif [ $((shown_now % 10)) -eq 0 ]; then
      printf '  … %s: %s%s s\n' "$shown_title" "$("$shown_detail")" "$shown_now" >&2
    fi
  done
}

ticker=
stop_ticker() {
  [ -n "$ticker" ] || return 0
  # KILL: a TERM that comes before the new subshell has put off our traps would be lost, and the wait would last for ever.
  kill -KILL "$ticker" 2>/dev/null || :
  wait "$ticker" 2>/dev/null || :
  ticker=
}

# explain_log TITLE LOG HINT: says why the command behind LOG failed, in one sentence where the cause is known.
explain_log() {
  if grep -qiE 'ENOSPC|no space left|EDQUOT|quota exceeded' "$2"; then
    fail "$1 failed: the disk is full" "Free some space there and run the same command again: $(dirname "$2"), $root" "Log: $2"
  fi
  if grep -qE 'SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_(HAS_EXPIRED|UNTRUSTED)|certificate signed by unknown authority' "$2"; then
    fail "$1 failed: the registry's certificate is not trusted here" "Behind a proxy with a certificate of its own: NODE_EXTRA_CA_CERTS (and SSL_CERT_FILE for Go) must name that file." "Log: $2"
  fi
  if grep -qiE 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|getaddrinfo|dial tcp|no such host|network is unreachable|i/o timeout|proxyconnect' "$2"; then
    fail "$1 failed: the registry can't be reached" "Check the network or the proxy settings, then run the same command again; what was fetched is kept." "Log: $2"
  fi
  if grep -qiE 'EACCES|EPERM|EROFS|permission denied|read-only file system' "$2"; then
    fail "$1 failed: not allowed to write" "Check who owns $root and $cache." "Log: $2"
  fi
  fail "$1 failed: $(tail_of "$2")" "$3" "Log: $2"
}

# The last line that says something: npm ends with the path of its own log.
tail_of() { grep -vE '^[[:space:]]*$|A complete log of this run|npm (error|ERR!)[[:space:]]*$' "$1" | tail -n 1; }
