#!/bin/sh
# Runs one attempt of a task and outlives the agent. Usage: task-supervisor.sh TASK_DIRECTORY COMMAND [ARGUMENT…]
# The agent starts it as the leader of a process group, in the task's work directory and with the task's environment;
# so PATH is the task's, and this script's own tools are found by `command -p`.
# shellcheck disable=SC2086 # $as is words of our own, or none
set -u
dir=$1
shift

# The agent is root and this file names another user: the command is that user's, and so is what it may leave behind.
as=
if read -r user setpriv 2>/dev/null <"$dir/user"; then as="$setpriv --reuid=$user --regid=$user --clear-groups --no-new-privs --"; fi

# Handlers, not "ignore": an ignored signal would stay ignored in the command, a handled one is reset to its default there.
# One that comes before there is a command is noted, and the command not begun.
ended=
trap : HUP INT
trap ended=143 TERM

# The latch. Whoever comes second finds the directory there and must not run the command again. TERM goes to the whole
# group: it must not end mkdir just when the directory is made, or the latch would have fallen for nobody.
(trap '' TERM; command -p mkdir "$dir/started" 2>/dev/null) || exit 0
echo "$$" >"$dir/started/pid"

# exec in a subshell, so that a command named like a shell builtin is the program. The shell waits for a foreground
# command to its end whatever signals come, so the code is always the command's own (128 + n when signal n ended it).
([ -z "$ended" ] || exit "$ended"; exec $as "$@") </dev/null >>"$dir/stdout.log" 2>>"$dir/stderr.log"
code=$?
[ -z "$as" ] || $as /bin/sh -c 'kill -KILL -1' >/dev/null 2>&1
# The host goes down (OpenRC says so): it was cut off and has not failed, as the missing result tells after the boot.
[ ! -e /run/openrc/rc.stopping ] || exit 0

# A full disk must not lose the result: try until it is written, or until nobody wants it any more.
until { echo "$code" >"$dir/result.tmp" && command -p mv "$dir/result.tmp" "$dir/result"; } 2>/dev/null; do
  [ -d "$dir" ] || break
  command -p sleep 1
done

# What the command left running in its group ends with it; this shell too.
kill -KILL "-$$" 2>/dev/null
