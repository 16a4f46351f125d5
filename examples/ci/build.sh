#!/usr/bin/env bash
# Builds what is compared: the working directory, and the commit that it branched from.
#   build.sh main        a branch or a commit; what main got after the branch began is not the branch's fault
set -euo pipefail

: "${BUILD:=go build -trimpath -o \"\$OUT/\" ./cmd/...}"
base=$(git merge-base "${1:?expected the branch or commit to compare with}" HEAD)
out=$PWD/performance
mkdir -p "$out/baseline" "$out/candidate"

OUT=$out/candidate bash -euo pipefail -c "$BUILD"

# The baseline's files stay: it is served with its own configuration, not with the candidate's.
git worktree remove --force "$out/source" 2>/dev/null || git worktree prune
git worktree add --quiet --force --detach "$out/source" "$base"
(cd "$out/source" && OUT=$out/baseline bash -euo pipefail -c "$BUILD")

printf 'baseline %s, candidate %s\n' "$(git rev-parse --short "$base")" "$(git rev-parse --short HEAD)"
