package ci

// forge keeps comments as files, one for each, and a log of what was done to them.
const forge = `
put() { # METHOD BODY [ID]
  local id=${3:-$(($(find "$STORE" -name '*.json' | wc -l) + 1))}
  jq -n --argjson id "$id" --arg body "$2" '{id: $id, body: $body}' >"$STORE/$id.json"
  echo "$1${3:+ $3}" >>"$STORE/log"
}
list() { find "$STORE" -name '*.json' -print0 | sort -z | xargs -0r cat | jq -s .; }
`

// gh is the part of GitHub's program that scripts use.
const gh = `#!/usr/bin/env bash
set -euo pipefail
` + forge + `
[ "${GH_TOKEN:-}" = secret ] || { echo "gh: no token" >&2; exit 4; }
[ "$1" = api ] || { echo "gh: unknown command $1" >&2; exit 1; }
shift
method=GET path= body= filter=.
while [ $# -gt 0 ]; do
  case $1 in
    --paginate | --silent) shift ;;
    --method) method=$2; shift 2 ;;
    --jq) filter=$2; shift 2 ;;
    --field) case $2 in body=@*) body=$(cat "${2#body=@}") ;; *) echo "gh: field $2" >&2; exit 1 ;; esac; shift 2 ;;
    -*) echo "gh: unknown flag $1" >&2; exit 1 ;;
    *) path=$1; shift ;;
  esac
done
case "$method $path" in
  "GET repos/owner/name/issues/7/comments?per_page=100") list | jq -r "$filter" ;;
  "POST repos/owner/name/issues/7/comments") put POST "$body" ;;
  "PATCH repos/owner/name/issues/comments/"*) put PATCH "$body" "${path##*/}" ;;
  *) echo "gh: HTTP 404: $method $path" >&2; exit 1 ;;
esac
`

// curl knows GitLab's API of notes only.
const curl = `#!/usr/bin/env bash
set -euo pipefail
` + forge + `
method=GET url= body= token=
while [ $# -gt 0 ]; do
  case $1 in
    --fail | --silent | --show-error) shift ;;
    --config) token=$(cat "$2"); shift 2 ;;
    --request) method=$2; shift 2 ;;
    --output) shift 2 ;;
    --data-urlencode) case $2 in body@*) body=$(cat "${2#body@}") ;; *) echo "curl: data $2" >&2; exit 2 ;; esac; shift 2 ;;
    -*) echo "curl: unknown flag $1" >&2; exit 2 ;;
    *) url=$1; shift ;;
  esac
done
[ "$token" = 'header = "PRIVATE-TOKEN: secret"' ] || { echo "curl: (22) 401" >&2; exit 22; }
notes=https://gitlab.example.org/api/v4/projects/5/merge_requests/7/notes
case "$method $url" in
  "GET $notes?per_page=100&sort=asc") list | sed 's/</\\u003c/g' ;;
  "POST $notes") put POST "$body" ;;
  "PUT $notes/"*) put PUT "$body" "${url##*/}" ;;
  *) echo "curl: (22) 404: $method $url" >&2; exit 22 ;;
esac
`
