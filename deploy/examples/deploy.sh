#!/bin/sh
# Deploys new upstreams to a pool through goodgate's admin API. For CI systems such as GitHub
# Actions, GitLab CI or Jenkins. It needs only curl.
#
#   GOODGATE_API=http://10.0.0.5:9900 GOODGATE_TOKEN=... ./deploy.sh app http://10.0.1.7:3000 http://10.0.1.8:3000
#
# goodgate sends the new upstreams a growing share of the requests, and rolls back if they do
# worse than the old ones. The script prints the progress. If it is interrupted, for example by
# a cancelled job, it makes goodgate roll back. Exit codes:
#   0  the new upstreams get all requests
#   1  goodgate rolled back; the last lines say why
#   2  goodgate refused the deploy, or did not answer
#
# As a step of GitHub Actions:
#
#   - run: ./deploy.sh app "http://$NEW_HOST:3000"
#     env:
#       GOODGATE_API: ${{ vars.GOODGATE_API }}
#       GOODGATE_TOKEN: ${{ secrets.GOODGATE_TOKEN }}
#       DEPLOY_OPTIONS: '"steps": [5, 50, 100], "step_time": "30s"'
set -eu

[ $# -ge 2 ] || { sed -n '2,22s/^# \{0,1\}//p' "$0"; exit 2; }
api=${GOODGATE_API:-http://127.0.0.1:9900}
pool=$1
shift

# call METHOD PATH [BODY] prints the answer.
call() {
	answer=$(curl --silent --show-error --max-time 30 --request "$1" --write-out '\n%{http_code}' \
		--header "Authorization: Bearer ${GOODGATE_TOKEN:-none}" \
		--header 'Content-Type: application/json' ${3:+--data "$3"} "$api$2") || return 2
	status=${answer##*
}
	body=${answer%
*}
	case $status in
	2??) printf '%s\n' "$body" ;;
	*)
		printf '%s %s: %s %s\n' "$1" "$2" "$status" "$(printf '%s' "$body" | text error)" >&2
		return 2
		;;
	esac
}

# text NAME prints the first string field with that name in an answer, and plain NAME the first
# field of another type. goodgate writes one field on each line.
text() { sed -n 's/^ *"'"$1"'": "\(.*\)",\{0,1\}$/\1/p' | sed 's/\\"/"/g' | head -n 1; }
plain() { sed -n 's/^ *"'"$1"'": \([^",{[]*\),\{0,1\}$/\1/p' | head -n 1; }

to=
for url; do
	to="$to${to:+, }\"$url\""
done
view=$(call POST /v1/deploys "{\"pool\": \"$pool\", \"to\": [$to], \"why\": \"${DEPLOY_WHY:-deploy.sh}\"${DEPLOY_OPTIONS:+, $DEPLOY_OPTIONS}}") || exit 2

# shellcheck disable=SC2317
back() {
	trap '' INT TERM
	echo "interrupted: rolling back"
	call POST "/v1/deploys/$pool/back" >/dev/null || true
}
trap back INT TERM

last=
while :; do
	now="$(printf '%s\n' "$view" | text stage), $(printf '%s\n' "$view" | plain share) % of the requests go to the new upstreams"
	[ "$now" = "$last" ] || printf '%s %s: %s\n' "$(date +%T)" "$pool" "$now"
	last=$now
	[ "$(printf '%s\n' "$view" | plain over)" = true ] && break
	sleep "${DEPLOY_LOOK:-2}"
	view=$(call GET "/v1/deploys/$pool") || { echo "no answer: asking again" >&2; view=$(call GET "/v1/deploys/$pool") || exit 2; }
done

[ "$(printf '%s\n' "$view" | text stage)" = "done" ] && exit 0
printf '%s\n' "$view" | sed -n 's/^ *"text": "\(.*\)",\{0,1\}$/  \1/p'
exit 1
