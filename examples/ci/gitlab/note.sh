#!/usr/bin/env bash
# Puts performance/comment.md under the merge request: one note, which is replaced by the next run. The first line of the file is a
# hidden marker by which the old one is found. Needs GITLAB_TOKEN, a project access token with the scope api; the rest is GitLab's own.
set -euo pipefail

body=performance/comment.md
[ -f "$body" ] || { echo "there is no $body: loadgen compare did not get that far" >&2; exit 0; }
[ -n "${GITLAB_TOKEN:-}" ] || { echo "no GITLAB_TOKEN: the report is in the job's artifacts alone" >&2; exit 0; }
marker=$(sed -n 1p "$body")
notes=$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes
# The token comes from a file, so that no list of processes shows it.
api() { curl --fail --silent --show-error --config <(printf 'header = "PRIVATE-TOKEN: %s"\n' "$GITLAB_TOKEN") "$@"; }
old=$(api "$notes?per_page=100&sort=asc" | jq -r --arg marker "$marker" '.[] | select(.body | startswith($marker)) | .id' | sed -n 1p)
if [ -n "$old" ]; then
  api --request PUT --data-urlencode "body@$body" --output /dev/null "$notes/$old"
else
  api --request POST --data-urlencode "body@$body" --output /dev/null "$notes"
fi
