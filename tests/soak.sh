#!/bin/sh
# A long run of reeltop against its own server: memory, open files, CPU and drops as a table.
# Fails if memory or open files grow after the warm-up, or if a part ends.
#
#   tests/soak.sh [--minutes 30] [--rate 2000] [--chaos NAME,NAME…|none] [--growth 15] [--bin FILE]
#
# --rate is in events a second, which the machine may not reach; a task makes about ten. Each fault
# in turn is switched on for four seconds in every twenty. --growth is in per cent. Three minutes
# is the shortest useful run. Needs Linux (it reads /proc), curl, and script of util-linux.
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
        *) sed -n '2,9p' "$0"; exit 2 ;;
    esac
    shift 2
done
[ -x "$bin" ] || { echo "no $bin: build it with cargo build --release" >&2; exit 2; }

work=$(mktemp -d)
pids=
# The last resort is for parts that do not go when asked.
end() {
    trap - EXIT INT TERM HUP
    for pid in $pids; do kill "$pid" 2>/dev/null || :; done
    sleep 1
    for pid in $pids; do kill -9 "$pid" 2>/dev/null || :; done
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM HUP
export HOME="$work" XDG_CONFIG_HOME="$work" XDG_STATE_HOME="$work" TERM=xterm-256color LC_ALL=C.UTF-8
export ASPECT_API_KEY=soak REELTOP_SERVE_KEY=soak
unset ASPECT_BASE_URL REELTOP_PROFILE REELTOP_LOG || :

# Bounds that are reached within the warm-up, so that what grows after it is a leak: here the
# dashboard's, below the server's. They are small enough for a run of three minutes.
mkdir "$work/reeltop"
cat >"$work/reeltop/config.toml" <<'END'
[limits]
tasks = 5000
events = 5000
event_ids = 10000
messages = 1000
asset_names = 2500
END

# The faster the time, the fewer tasks are active at once.
nice "$bin" serve --json --simulate "$((rate * 6))" --time-scale 60 \
    --max-tasks 8000 --max-messages 5000 >"$work/serve" &
serve=$! pids=$serve
for _ in $(seq 100); do [ -s "$work/serve" ] && break; sleep 0.1; done
url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$work/serve")
[ -n "$url" ] || { echo "the server did not start" >&2; exit 1; }

put() {
    curl -sf -m 5 -o /dev/null --noproxy '*' -H 'Authorization: Bearer soak' -X "$1" ${2:+-d "$2"} "$url/_chaos" ||
        echo "the fault could not be switched: $1 ${2:-}" >&2
}
# What the server holds and what it let go; one number of it.
ask_health() { curl -sf -m 20 --noproxy '*' "$url/health" | tr ',{}' '\n\n\n' >"$work/health" || :; }
health() { sed -n "s/^\"$1\"://p" "$work/health"; }

# An endpoint at which nobody listens: every message is kept, and the failed ones with attempts.
curl -sf -m 5 -o /dev/null --noproxy '*' -H 'Authorization: Bearer soak' -H 'Content-Type: application/json' \
    -d '{"url":"http://127.0.0.1:9/","event_types":["task.failed"]}' "$url/webhooks/endpoints" ||
    { echo "the endpoint was not created" >&2; exit 1; }

# The dashboard in a terminal of its own, whose output nobody looks at.
mkfifo "$work/keys"
exec 3<>"$work/keys" # never written, never at its end
nice script -qfc "stty rows 50 cols 180; echo \$\$ >$work/dashboard; exec $bin --url $url --log $work/log" \
    /dev/null >/dev/null 2>&1 <&3 &
pids="$pids $!"
mkfifo "$work/tail"
wc -l <"$work/tail" >"$work/tailed" &
pids="$pids $!"
nice "$bin" tail --url "$url" 2>"$work/tail-words" >"$work/tail" &
tail=$! pids="$pids $tail"
sleep 2
dashboard=$(cat "$work/dashboard" 2>/dev/null || :)
[ -n "$dashboard" ] && kill -0 "$dashboard" && kill -0 "$tail" || { echo "a part did not start" >&2; exit 1; }
pids="$pids $dashboard"

# Each fault in turn, for a fifth of the time; the last is switched off before the end.
seconds=$((minutes * 60)) began=$(date +%s)
faults() {
    while :; do
        for name in $(echo "$chaos" | tr , ' '); do
            sleep 16
            [ $(($(date +%s) - began + 15)) -lt "$seconds" ] || return 0
            put PUT "{\"faults\":[\"$name\"]}"
            sleep 4
            put DELETE
        done
    done
}
if [ "$chaos" != none ]; then
    faults &
    pids="$pids $!"
fi

rss() { awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$1/status" 2>/dev/null || echo 0; }
files() { ls "/proc/$1/fd" 2>/dev/null | wc -l; }
cpu() { awk -v hz="$(getconf CLK_TCK)" '{print int(($14 + $15) / hz)}' "/proc/$1/stat" 2>/dev/null || echo 0; }

echo "second | dashboard MiB files cpu-s | tail MiB files cpu-s | server MiB files cpu-s | events"
step=0
while sleep 5; do
    now=$(($(date +%s) - began))
    for pid in $serve $dashboard $tail; do
        kill -0 "$pid" 2>/dev/null || { echo "process $pid ended before its time"; exit 1; }
    done
    d=$(rss "$dashboard") t=$(rss "$tail") s=$(rss "$serve")
    fd=$(files "$dashboard") ft=$(files "$tail") fs=$(files "$serve")
    echo "$now $d $t $s $fd $ft $fs" >>"$work/samples"
    step=$((step + 1))
    if [ $((step % 6)) = 0 ]; then
        ask_health
        echo "$now | $d $fd $(cpu "$dashboard") | $t $ft $(cpu "$tail") | $s $fs $(cpu "$serve") | $(health events_published)"
    fi
    [ "$now" -lt "$seconds" ] || break
done

# What is compared, and why. The first third is warm-up: bounds fill. A leak makes all later
# samples greater than all earlier ones, so a statistic of the last third is compared with the same
# of the middle third. Not the greatest: a line of 1 MiB passes through several bounded queues, and
# the memory of such a peak is in use for seconds; what the allocator keeps of it goes back to the
# system only minutes later, so the median too depends on when the last peak was. The lower
# quartile is what is held when no peak is about. What grows by less than 15 per cent and 8 MiB in
# a third of the run is not seen: longer runs see slower leaks.
quartile() { # column, from third, to third
    awk -v column="$1" -v from="$((seconds * $2 / 3))" -v to="$((seconds * $3 / 3))" \
        '$1 > from && $1 <= to + 5 {print $column}' "$work/samples" | sort -n |
        awk '{row[NR] = $1} END {print row[int((NR + 3) / 4)]}'
}
failed=0
check() { # name, column, growth in per cent, and on top
    middle=$(quartile "$2" 1 2) last=$(quartile "$2" 2 3) most=$((middle + middle * $3 / 100 + $4))
    peak=$(awk -v column="$2" '$column > most {most = $column} END {print most}' "$work/samples")
    if [ "$last" -gt "$most" ]; then word=FAILED failed=1; else word=ok; fi
    echo "$word: $1: $middle in the middle third, $last in the last (at most $most); peak $peak"
}
check "dashboard MiB" 2 "$growth" 8
check "tail MiB" 3 "$growth" 8
check "server MiB" 4 "$growth" 8
# Requests come and go: a few more files than before are no leak.
check "dashboard files" 5 0 8
check "tail files" 6 0 4
check "server files" 7 0 8

ask_health
kill "$tail"
for _ in $(seq 50); do [ -s "$work/tailed" ] && break; sleep 0.1; done
tailed=$(cat "$work/tailed")
echo "events: $(health events_published) published, ${tailed:-?} printed by tail, $((${tailed:-0} / seconds)) a second"
echo "server: $(for name in tasks tasks_evicted tasks_refused messages messages_evicted log_bytes attempts \
    retries_pending retries_dropped deliveries_dropped events_kept_bytes slow_readers_dropped; do
    printf '%s %s, ' "$name" "$(health "$name")"; done | sed 's/, $//')"
echo "dropped or not read, by the words of tail:"
sed 's/[0-9][0-9.:]*m\{0,1\}s\{0,1\}/N/g' "$work/tail-words" | sort | uniq -c | sort -rn | head -12
echo "dropped or not read, by the log of the dashboard:"
cat "$work"/log* | grep ' WARN ' | cut -d' ' -f2- |
    sed -e 's/[0-9a-f]\{8\}-[0-9a-f-]*/ID/g' -e 's/[0-9][0-9.:]*/N/g' | cut -c1-160 |
    sort | uniq -c | sort -rn | head -12
echo "journal: $(du -sk "$work"/reeltop/*.db* 2>/dev/null | awk '{n += $1} END {print int(n / 1024)}') MiB"
count() { cat "$work"/log* | grep -c "$1" || :; }
all=$(count 'comparison:') good=$(count 'comparison: converged')
echo "connections: $(count 'stream open'), comparisons: $all, not converged: $((all - good)), warnings: $(count ' WARN ')"
exit "$failed"
