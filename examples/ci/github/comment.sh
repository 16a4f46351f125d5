#!/usr/bin/env bash
# Puts performance/comment.md under the pull request: one comment, which is replaced by the next run. The first line of the file is a
# hidden marker by which the old one is found. Needs REPO (owner/name), PR (its number) and GH_TOKEN.
set -euo pipefail

body=performance/comment.md
[ -f "$body" ] || { echo "there is no $body: loadgen compare did not get that far" >&2; exit 0; }
marker=$(sed -n 1p "$body")
comments=repos/$REPO/issues/$PR/comments
old=$(gh api --paginate "$comments?per_page=100" --jq ".[] | select(.body | startswith(\"$marker\")) | .id" | sed -n 1p)
if [ -n "$old" ]; then
  gh api --silent --method PATCH "repos/$REPO/issues/comments/$old" --field "body=@$body"
else
  gh api --silent --method POST "$comments" --field "body=@$body"
fi
