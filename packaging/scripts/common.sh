# add_user creates the user of the unit.
add_user() {
	if command -v systemd-sysusers >/dev/null 2>&1; then
		systemd-sysusers goodgate.conf
	elif ! getent passwd goodgate >/dev/null; then
		useradd --system --user-group --home-dir /var/lib/goodgate --no-create-home \
			--shell /usr/sbin/nologin --comment 'goodgate reverse proxy' goodgate
	fi
}

# add_runtime_folder creates the folder of the admin socket. With systemd the unit creates it.
add_runtime_folder() {
	[ -d /run/goodgate ] || install -d -o goodgate -g goodgate -m 0750 /run/goodgate
}

main_pid() { systemctl show --property MainPID --value goodgate.service; }

# replace makes the running process hand over to the new binary, without refused connections
# or lost requests. If the new binary rejects the configuration, the old process continues.
replace() {
	old=$(main_pid)
	[ "${old:-0}" != 0 ] || return 0
	if ! goodgate check /etc/goodgate/goodgate.yaml >/dev/null 2>&1; then
		echo 'goodgate: the new version rejects the configuration, so the old process continues. To see why:' >&2
		echo '  goodgate check /etc/goodgate/goodgate.yaml' >&2
		return 0
	fi
	kill -USR2 "$old" || return 0
	tries=0
	while [ "$(main_pid)" = "$old" ] && [ "$tries" -lt 20 ]; do
		tries=$((tries + 1))
		sleep 1
	done
	[ "$(main_pid)" != "$old" ] || echo 'goodgate: the old process still runs; see journalctl -u goodgate' >&2
}

