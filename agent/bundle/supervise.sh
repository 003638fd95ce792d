#!/bin/sh
# Keeps one role (agent or master) running where there is no systemd; runs in the foreground.
# Usage: sh supervise.sh STATE_DIR -- COMMAND [ARGUMENT…]
# STATE_DIR/supervisor.pid and STATE_DIR/role.pid name the two processes. A child that exits with 0 is done; any other
# exit starts it again after 0.2 s, doubling to 5 s, and from 0.2 s again once it has been up for 30 s.
# SPILLWAY_ROLE_LOG names the file that its output is appended to: before each start, when it is larger than 10 MiB
# (SPILLWAY_ROLE_LOG_BYTES), it is kept as FILE.1, in place of an older one, and begun anew. While the role runs it does so itself.
set -u
if [ $# -lt 3 ] || [ "$2" != -- ]; then
  echo "usage: sh supervise.sh STATE_DIR -- COMMAND [ARGUMENT...]" >&2
  exit 2
fi
state=$1
shift 2
log=${SPILLWAY_ROLE_LOG:-}
log_bytes=${SPILLWAY_ROLE_LOG_BYTES:-10485760}
unset SPILLWAY_ROLE_LOG_BYTES
mark="SPILLWAY_ROLE_STATE=$state" # in the role's environment: by it a role is known again, whatever its command line

say() { # LEVEL MESSAGE: a line like the roles' own
  printf '{"time":"%s","level":"%s","who":"supervise","message":"%s"}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2" >&2
}

command_of() { # PID: its command line, words joined by spaces
  if [ -r "/proc/$1/cmdline" ]; then tr '\0' ' ' <"/proc/$1/cmdline"; else ps -ww -o command= -p "$1"; fi 2>/dev/null
}

alive() { # PID
  [ -n "$1" ] && kill -0 "$1" 2>/dev/null
}

# A pid alone may belong to somebody else by now, or be dead and not yet collected, so each is asked for more.
is_supervisor() { # PID: does its command line name this directory?
  alive "$1" || return 1
  case "$(command_of "$1") " in *"$state "*) return 0 ;; *) return 1 ;; esac
}

is_role() { # PID: does its environment hold the mark?
  alive "$1" || return 1
  if [ -r "/proc/$1/environ" ]; then
    tr '\0' '\n' <"/proc/$1/environ" | grep -qxF "$mark"
  else
    ps -wwE -o command= -p "$1" | grep -qF " $mark"
  fi
}

content() { # FILE: its first line, or nothing
  line=
  { read -r line <"$1"; } 2>/dev/null
  printf '%s' "$line"
}

end_former_child() { # a supervisor that was killed left it behind
  former=$(content "$state/role.pid")
  is_role "$former" || return 0
  say warn "ending process $former, which a former supervisor left behind"
  kill -TERM "$former" 2>/dev/null
  tries=50
  while [ "$tries" -gt 0 ] && is_role "$former"; do
    sleep 0.1
    tries=$((tries - 1))
  done
  if is_role "$former"; then kill -KILL "$former"; fi
}

bound_log() {
  # Copied and emptied, not renamed: who writes there appends, and can't be told to open it anew. What is written in between is lost.
  if [ -f "$log" ] && [ "$(wc -c <"$log")" -gt "$log_bytes" ]; then cp "$log" "$log.1" && : >"$log"; fi
}

finish() {
  [ "$(content "$state/supervisor.pid")" = "$$" ] && rm -f "$state/supervisor.pid" "$state/role.pid"
  exit 0
}

mkdir -p "$state" || exit 1
# A hard link is made by one process only, so of two supervisors started at the same moment one wins.
echo "$$" >"$state/supervisor.pid.$$" || exit 1
tries=5
until ln "$state/supervisor.pid.$$" "$state/supervisor.pid" 2>/dev/null; do
  holder=$(content "$state/supervisor.pid")
  if is_supervisor "$holder"; then
    rm -f "$state/supervisor.pid.$$"
    echo "already running (process $holder)"
    exit 0
  fi
  tries=$((tries - 1))
  if [ "$tries" -eq 0 ] || ! rm -f "$state/supervisor.pid"; then
    say error "can't make $state/supervisor.pid"
    exit 1
  fi
done
rm -f "$state/supervisor.pid.$$"

stopping=
child=
trap '' HUP
trap 'stopping=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT
end_former_child

delay=0.2
# The pid file is looked at each time round: without it (removed, or taken over) there is nothing to supervise here.
while [ -z "$stopping" ] && [ "$(content "$state/supervisor.pid")" = "$$" ]; do
  bound_log
  since=$(date +%s)
  # The child writes its own pid before it becomes the role, so that none can run unknown.
  # shellcheck disable=SC2016 # the child's own $$
  env "$mark" sh -c 'echo "$$" >"$0"; exec "$@"' "$state/role.pid" "$@" &
  child=$!
  # TERM that came around the fork may have met neither `child` nor a child that hears it; one that has written its pid does.
  while [ -n "$stopping" ] && alive "$child" && [ "$(content "$state/role.pid")" != "$child" ]; do
    kill -TERM "$child" 2>/dev/null
    sleep 0.05
  done
  wait "$child"
  code=$?
  # A trapped signal ends `wait` early; the child is over only when it can't be signalled any more.
  while [ -n "$stopping" ] && alive "$child"; do
    wait "$child"
    [ $? -ne 127 ] || break
  done
  child=
  if [ -n "$stopping" ] || [ "$code" -eq 0 ]; then break; fi
  [ $(($(date +%s) - since)) -lt 30 ] || delay=0.2
  say warn "the role exited with $code; starting it again in $delay s"
  sleep "$delay" &
  child=$!
  if [ -z "$stopping" ]; then wait "$child"; else kill -TERM "$child" 2>/dev/null; fi
  child=
  case $delay in 0.2) delay=0.4 ;; 0.4) delay=0.8 ;; 0.8) delay=1.6 ;; 1.6) delay=3.2 ;; *) delay=5 ;; esac
done
finish
