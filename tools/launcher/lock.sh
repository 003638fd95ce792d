# shellcheck shell=sh
# One launch at a time installs a thing: a symbolic link whose target names the holder, since making one is atomic and says who holds it.

held_lock=

# acquire LOCK WHAT: waits while a living launch holds LOCK (saying so), and takes it over from a dead one.
acquire() {
  lock_me=$$@$(boot_id)
  lock_told=""
  lock_lost=0
  until ln -s "$lock_me" "$1" 2>/dev/null; do
    lock_holder=$(readlink "$1" 2>/dev/null) || lock_holder=
    if [ -z "$lock_holder" ]; then
      # Released just now, or the directory can't be written to.
      lock_lost=$((lock_lost + 1))
      [ "$lock_lost" -lt 20 ] || fail "can't make the lock $1" "Check that ${1%/*} can be written to and that its disk is not full."
      sleep 0.1
    elif ! holder_lives "$lock_holder"; then
      take_away "$1" "$lock_holder"
    else
      [ -n "$lock_told" ] || note "… waiting for another launch (process ${lock_holder%@*}) that is busy with $2"
      lock_told=1
      sleep 0.3
    fi
  done
  held_lock=$1
}

release() {
  [ -z "$held_lock" ] || rm -f "$held_lock"
  held_lock=
}

# The dead holder's link is moved aside and looked at once more: another launch may have been quicker, and then it is put back.
take_away() {
  mv "$1" "$1.dead.$$" 2>/dev/null || return 0
  if [ "$(readlink "$1.dead.$$")" = "$2" ]; then rm -f "$1.dead.$$"; else mv "$1.dead.$$" "$1"; fi
}

# A process id means nothing after a reboot, so the holder's boot is part of its name.
holder_lives() {
  [ "${1#*@}" = "$(boot_id)" ] || return 1
  [ -d "/proc/${1%@*}" ] || kill -0 "${1%@*}" 2>/dev/null
}

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || :; }

clean_up() {
  stop_ticker
  release
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
