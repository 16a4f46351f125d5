#!/usr/bin/env bash
# Compares both builds, each in its own source tree, and leaves all reports in performance/. Its exit code is that of loadgen compare,
# so it decides the job.
#   compare.sh [flags of loadgen compare, as --gate fresh_p99,cpu]
set -euo pipefail

: "${PROFILE:=ci-compare}" "${SERVE:=pipeline run transactions}"
out=$PWD/performance
loadgen=$out/candidate/loadgen # one program measures both
[ -x "$loadgen" ] || loadgen=loadgen
serve() { printf "sh -c '%s'" "cd \"$2\" && PATH=\"$out/$1:\$PATH\" exec $SERVE"; }

rm -rf "$out/runs" "$out"/{junit.xml,comment.md,report.html,metrics.txt,benchmark.json} # of an earlier comparison
code=0
"$loadgen" compare "$PROFILE" --baseline "$(serve baseline "$out/source")" --candidate "$(serve candidate "$PWD")" --out "$out/runs" \
  --junit "$out/junit.xml" --markdown "$out/comment.md" --html "$out/report.html" --openmetrics "$out/metrics.txt" --benchmark-json "$out/benchmark.json" \
  ${GITHUB_ACTIONS:+--annotations} ${COMPARE:-} "$@" || code=$? # COMPARE is words, not one word

if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$out/comment.md" ]; then
  cat "$out/comment.md" >>"$GITHUB_STEP_SUMMARY"
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  case $code in
    0) verdict=pass ;; 3) verdict=slo ;; 4) verdict=regressed ;; 5) verdict=data ;; 6) verdict=inconclusive ;; *) verdict=failed ;;
  esac
  printf 'verdict=%s\ncode=%s\n' "$verdict" "$code" >>"$GITHUB_OUTPUT"
fi
exit "$code"
