#!/bin/sh
# A long run of reeltop against its own server: memory, open files, CPU and drops as a table.
# Fails if memory grows beyond a bound after the warm-up, if open files grow, or if a part ends.
#
#   tests/soak.sh [--minutes 30] [--rate 2000] [--chaos drop,cut-event,duplicate|none] [--bin FILE]
#
# --rate is in events a second; a task makes about ten. Linux only: it reads /proc.
set -eu

minutes=30 rate=2000 chaos=drop,duplicate,crlf bin=target/release/reeltop growth=15
while [ $# -gt 0 ]; do
    case $1 in
        --minutes) minutes=$2 ;;
        --rate) rate=$2 ;;
        --chaos) chaos=$2 ;;
        --bin) bin=$2 ;;
        --growth) growth=$2 ;; # per cent of resident memory after the warm-up
        *) sed -n '2,8p' "$0"; exit 2 ;;
    esac
    shift 2
done
[ -x "$bin" ] || { echo "no $bin: build it with cargo build --release" >&2; exit 2; }

work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null || :; done; wait 2>/dev/null || :; rm -rf "$work"' EXIT INT TERM
export HOME="$work" XDG_CONFIG_HOME="$work" XDG_STATE_HOME="$work" TERM=xterm-256color LC_ALL=C.UTF-8
export ASPECT_API_KEY=soak REELTOP_SERVE_KEY=soak
unset ASPECT_BASE_URL REELTOP_PROFILE REELTOP_LOG || :

faults=
[ "$chaos" = none ] || faults="--chaos $chaos"
# A task lives about a minute; the faster the time, the fewer are active at once.
# shellcheck disable=SC2086
nice "$bin" serve --json --simulate "$((rate * 6))" --time-scale 60 $faults >"$work/serve" &
serve=$! pids=$serve
for _ in $(seq 100); do [ -s "$work/serve" ] && break; sleep 0.1; done
url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$work/serve")
[ -n "$url" ] || { echo "the server did not start" >&2; exit 1; }

# The dashboard in a terminal of its own, whose output nobody looks at.
nice script -qfc "stty rows 50 cols 180; exec $bin --url $url --log $work/log" /dev/null >/dev/null 2>&1 </dev/zero &
pids="$pids $!"
nice "$bin" tail --url "$url" 2>"$work/tail-words" | wc -l >"$work/tailed" &
pids="$pids $!"
sleep 2
dashboard=$(pgrep -f "^$bin --url $url --log" | head -1)
tail=$(pgrep -f "^$bin tail --url $url" | head -1)
[ -n "$dashboard" ] && [ -n "$tail" ] || { echo "a part did not start" >&2; exit 1; }
pids="$pids $dashboard $tail"

rss() { awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$1/status" 2>/dev/null; }
files() { ls "/proc/$1/fd" 2>/dev/null | wc -l; }
cpu() { awk -v hz="$(getconf CLK_TCK)" '{print int(($14 + $15) / hz)}' "/proc/$1/stat" 2>/dev/null; }

steps=$((minutes * 60 / 10)) warm=$((minutes * 60 / 10 / 3))
echo "second | dashboard MiB files cpu-s | tail MiB files cpu-s | server MiB files cpu-s"
first_d=0 first_t=0 most_d=0 most_t=0 files_d=0 files_t=0 failed=0
for step in $(seq "$steps"); do
    sleep 10
    for pid in $serve $dashboard $tail; do
        kill -0 "$pid" 2>/dev/null || { echo "process $pid ended before its time"; exit 1; }
    done
    d=$(rss "$dashboard") t=$(rss "$tail") fd=$(files "$dashboard") ft=$(files "$tail")
    if [ $((step % 3)) = 0 ] || [ "$step" = "$steps" ]; then
        echo "$((step * 10)) | $d $fd $(cpu "$dashboard") | $t $ft $(cpu "$tail") | $(rss "$serve") $(files "$serve") $(cpu "$serve")"
    fi
    if [ "$step" = "$warm" ]; then first_d=$d first_t=$t files_d=$fd files_t=$ft; fi
    if [ "$step" -gt "$warm" ]; then
        [ "$d" -gt "$most_d" ] && most_d=$d
        [ "$t" -gt "$most_t" ] && most_t=$t
    fi
done

# Requests come and go: a few more files than at the mark are no leak.
check() {
    if [ "$2" -gt "$3" ]; then echo "FAILED: $1: $2 beyond $3"; failed=1; else echo "ok: $1: $2, at most $3"; fi
}
check "dashboard MiB" "$most_d" $((first_d + first_d * growth / 100 + 8))
check "tail MiB" "$most_t" $((first_t + first_t * growth / 100 + 8))
check "dashboard files" "$fd" $((files_d + 8))
check "tail files" "$ft" $((files_t + 4))
kill "$tail"; sleep 1
echo "events printed by tail: $(cat "$work/tailed"), $(( $(cat "$work/tailed") / (minutes * 60) )) a second"
echo "tail said:"; sort "$work/tail-words" | uniq -c | sort -rn | head -5
echo "connections: $(cat "$work"/log* | grep -c 'stream open'), comparisons: $(cat "$work"/log* | grep -c 'comparison:'), not converged: $(cat "$work"/log* | grep 'comparison:' | grep -vc 'comparison: converged' || :), warnings: $(cat "$work"/log* | grep -c ' WARN ' || :)"
exit "$failed"
