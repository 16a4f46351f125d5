# What the scripts of real servers share. A script sets name, what, default_port and ports, defines fetch, prepare, launch
# and answers, and ends with: serve "$@".
#
#   fetch      get the software into $cache
#   prepare    write the configuration into $inst (before each start; data are kept between starts)
#   launch     exec the server
#   answers    succeed once it does its work on $port
#
# group=1 says that it has children, which live and die with it.
#
# Verbs: fetch | start | stop | kill | pause | resume | status | log | wipe, each with --port N. Servers listen on 127.0.0.1 only.
# Exit codes: 0 done or up, 1 failed or down, 2 wrong usage. Quiet on success, one line on stderr when not.
# WEIR_CACHE (software), WEIR_REAL_RUN (pid, log, data). WEIR_REAL_WITH=PID: the server is killed when that process has gone.
set -euo pipefail

root=${WEIR_CACHE:-$HOME/.cache/weir}
run=${WEIR_REAL_RUN:-$root/run}

die() { echo "$name: $1" >&2; exit "${2:-1}"; }
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# pid prints the process id if the server runs: the process in the file must still live in this directory, or below it.
pid() {
  local p
  p=$(cat "$inst/pid" 2>/dev/null) || return 1
  case "$(readlink "/proc/$p/cwd" 2>/dev/null)/" in "$(readlink -f "$inst")"/*) echo "$p" ;; *) return 1 ;; esac
}
up() { pid >/dev/null && answers; }

# once NAME: run the function NAME unless it has been done for this $cache; other processes wait.
once() {
  [ -f "$cache/.done" ] && return
  mkdir -p "$cache"
  exec 8>"$cache/.lock"; flock 8
  [ -f "$cache/.done" ] || { "$1"; touch "$cache/.done"; }
  exec 8>&-
}

# maven DIR: fetch the artifacts named on stdin (group artifact version [classifier]) with what they need.
maven() {
  command -v mvn >/dev/null && command -v java >/dev/null || die "needs Maven and a JDK 17 on the PATH"
  local dep="" group artifact v classifier
  while read -r group artifact v classifier; do
    dep+="<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$v</version>${classifier:+<classifier>$classifier</classifier>}</dependency>"
  done
  echo "<project><modelVersion>4.0.0</modelVersion><groupId>weir</groupId><artifactId>real-$name</artifactId><version>1</version><dependencies>$dep</dependencies></project>" >"$cache/pom.xml"
  mvn -q -B -f "$cache/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1" >"$cache/mvn.log" 2>&1 ||
    die "Maven could not fetch $what (log: $cache/mvn.log)"
}

property() { echo "<property><name>$1</name><value>$2</value></property>"; }

# guard PID: with WEIR_REAL_WITH, PID does not outlive that process.
guard() {
  [ -n "${WEIR_REAL_WITH:-}" ] || return 0
  nohup bash -c 'while kill -0 "$1" && kill -0 "$2"; do sleep 0.5; done; kill -0 "$1" && exit; kill -KILL -- "$3$2"' _ "$WEIR_REAL_WITH" "$1" "${group:+-}" >/dev/null 2>&1 </dev/null 9>&- &
}

begin() {
  once fetch
  mkdir -p "$inst"
  exec 9>"$inst/.lock"; flock 9
  up && return
  if ! pid >/dev/null; then
    local p
    for p in $(seq "$port" $((port + ports - 1))); do taken "$p" && die "port $p is taken by another process: take another --port"; done
    prepare
    if [ -f "$inst/log" ]; then mv "$inst/log" "$inst/log.1"; fi
    # 9>&-: the server must not inherit the lock.
    (cd "$inst" && if [ -n "${group:-}" ]; then export -f launch; exec setsid bash -c launch; else launch; fi) >"$inst/log" 2>&1 </dev/null 9>&- &
    echo $! >"$inst/pid"
    guard "$!"
  fi
  local end=$((SECONDS + 120))
  until up; do
    kill -0 "$(cat "$inst/pid")" 2>/dev/null || die "it ended at start: $(grep -m1 -E 'ERROR|FATAL|Exception' "$inst/log" || tail -1 "$inst/log") (log: $inst/log)"
    [ $SECONDS -lt $end ] || die "no answer on 127.0.0.1:$port after 120 s (log: $inst/log)"
    sleep 0.2
  done
}

signal() { # TERM and KILL wait for the end; what does not end by TERM is killed after 40 s
  local p end
  p=$(pid) || return 0
  kill "-$1" -- "${group:+-}$p"
  case $1 in TERM | KILL) ;; *) return 0 ;; esac
  end=$((SECONDS + 40))
  while kill -0 "$p" 2>/dev/null; do
    if [ $SECONDS -ge $end ]; then kill -KILL -- "${group:+-}$p" 2>/dev/null || true; fi
    sleep 0.1
  done
  if [ -n "${group:-}" ]; then kill -KILL -- "-$p" 2>/dev/null || true; fi
}

serve() {
  local verb=${1:-}
  [ $# -gt 0 ] && shift
  port=$default_port
  while [ $# -gt 0 ]; do
    case $1 in
    --port) [ $# -gt 1 ] || die "--port: a number is missing" 2; port=$2; shift 2 ;;
    *) die "unknown argument '$1'" 2 ;;
    esac
  done
  [[ $port =~ ^[0-9]{4,5}$ ]] || die "--port: expected a number of 4 or 5 digits, got '$port'" 2
  inst=$run/$name-$port
  case "$verb" in
  fetch) once fetch ;;
  start) begin ;;
  stop) signal CONT; signal TERM ;;
  kill) signal KILL ;;
  pause) signal STOP ;;
  resume) signal CONT ;;
  status) if up; then echo "up, 127.0.0.1:$port, $what"; else echo "down"; exit 1; fi ;;
  log) cat "$inst/log" 2>/dev/null || die "there is no log in $inst" ;;
  wipe) ! pid >/dev/null || die "it runs: '$name stop' first"; rm -rf "$inst" ;;
  *) die "expected one of fetch start stop kill pause resume status log wipe" 2 ;;
  esac
}
