add_user
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	if [ "$1" = 1 ]; then # the first installation; presets decide whether the service is enabled
		systemctl preset goodgate.service >/dev/null 2>&1 || true
	elif systemctl --quiet is-active goodgate.service; then
		replace
	fi
else
	add_runtime_folder
fi
