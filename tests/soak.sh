#!/bin/sh
# A long run of reeltop against its own server: memory, open files, CPU and drops as a table.
# Fails if memory grows beyond a bound after the warm-up, if open files grow, or if a part ends.
#
#   tests/soak.sh [--minutes 30] [--rate 2000] [--chaos NAME,NAME…|none] [--growth 15] [--bin FILE]
#
# --rate is in events a second; a task makes about ten. Each fault in turn is switched on for four
# seconds in every twenty. --growth is in per cent after the warm-up, a third of the time.
# Needs Linux (it reads /proc), curl, and script of util-linux.
set -eu

minutes=30 rate=2000 bin=target/release/reeltop growth=15
chaos=drop-between,drop-inside,drop-in-character,duplicate,reorder,delay,crlf,cr,bom,invalid-utf8
chaos=$chaos,half-open,trickle,500,502,429,line-1mib,no-logs,stale-snapshot
while [ $# -gt 0 ]; do
    case $1 in
        --minutes) minutes=$2 ;;
        --rate) rate=$2 ;;
        --chaos) chaos=$2 ;;
        --bin) bin=$2 ;;
        --growth) growth=$2 ;;
        *) sed -n '2,10p' "$0"; exit 2 ;;
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

# Bounds that are reached within the warm-up, so that what grows after it is a leak.
mkdir "$work/reeltop"
cat >"$work/reeltop/config.toml" <<'END'
[limits]
tasks = 10000
events = 5000
event_ids = 10000
messages = 1000
asset_names = 5000
END

# The faster the time, the fewer tasks are active at once.
nice "$bin" serve --json --simulate "$((rate * 6))" --time-scale 60 >"$work/serve" &
serve=$! pids=$serve
for _ in $(seq 100); do [ -s "$work/serve" ] && break; sleep 0.1; done
url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$work/serve")
[ -n "$url" ] || { echo "the server did not start" >&2; exit 1; }

# The dashboard in a terminal of its own, whose output nobody looks at.
mkfifo "$work/keys"
exec 3<>"$work/keys" # never written, never at its end
nice script -qfc "stty rows 50 cols 180; exec $bin --url $url --log $work/log" /dev/null >/dev/null 2>&1 <&3 &
pids="$pids $!"
nice "$bin" tail --url "$url" 2>"$work/tail-words" | wc -l >"$work/tailed" &
pids="$pids $!"
sleep 2
dashboard=$(pgrep -f "^$bin --url $url --log" | head -1)
tail=$(pgrep -f "^$bin tail --url $url" | head -1)
[ -n "$dashboard" ] && [ -n "$tail" ] || { echo "a part did not start" >&2; exit 1; }
pids="$pids $dashboard $tail"

# Each fault in turn, for a fifth of the time.
faults() {
    while :; do
        for name in $(echo "$chaos" | tr , ' '); do
            sleep 16
            put PUT "{\"faults\":[\"$name\"]}"
            sleep 4
            put DELETE
        done
    done
}
put() {
    curl -sf -o /dev/null --noproxy '*' -H 'Authorization: Bearer soak' -X "$1" ${2:+-d "$2"} "$url/_chaos" ||
        echo "the fault could not be switched: $1 ${2:-}" >&2
}
if [ "$chaos" != none ]; then
    faults &
    pids="$pids $!"
fi

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
echo "journal: $(du -sk "$work"/reeltop/*.db* 2>/dev/null | awk '{n += $1} END {print int(n / 1024)}') MiB"
echo "connections: $(cat "$work"/log* | grep -c 'stream open'), comparisons: $(cat "$work"/log* | grep -c 'comparison:'), not converged: $(cat "$work"/log* | grep 'comparison:' | grep -vc 'comparison: converged' || :), warnings: $(cat "$work"/log* | grep -c ' WARN ' || :)"
exit "$failed"
